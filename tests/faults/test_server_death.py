"""A server that dies or hangs while a run is measured: the run fails, and leaves no number that looks like a slow one.

The job is the real one, in the serving environment, with the real clients; only the server is not vLLM.
"""

from pathlib import Path

import pytest

from prefsweep.failures import Failure
from prefsweep.kept_answers import FOLDER
from prefsweep.plan import Plan
from prefsweep.records.base import hashed_files
from prefsweep.records.merge import Probe
from tests.example_study import Shape, merge_record
from tests.faults.serving_jobs import attested_study, measure
from tests.tokenizer_model import write_tokenizer_model

RUN = "dpo-00000000/seed-0"
RESULTS = ("generations.jsonl", "throughput.json", "evaluation.json")
PROBE = Probe(prompt="h0000", token_ids=[1, 2, 3], answer_tokens=1, log_probs=[-1.0, -1.0])

DIED = "the server ended with status -9 while it was in use"


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study whose only trained run has been merged and is now to be measured."""
    folder = attested_study(tmp_path, Shape(methods=("dpo",), unfinished=("dpo",), heldout=6, showcase=1))
    plan = Plan.read(folder / "plan.json")
    run = folder / "runs" / RUN
    write_tokenizer_model(run / "merged")
    merged = merge_record(plan.run(RUN), plan.point_of(RUN))
    merged.model_copy(update={"model": hashed_files(run / "merged"), "probes": [PROBE]}).write(run / "merge.json")
    return folder


@pytest.mark.parametrize(
    ("fault", "reached", "failure", "message"),
    [
        ("die-generating", "the server serves this run's merged model", "server_crash", DIED),
        ("die-timing", "7 prompts answered", "server_crash", DIED),
        ("die-evaluating", "6 timed passes done", "server_crash", DIED),
        ("hang-timing", "7 prompts answered", "timeout", "of 64 tokens: the server fell silent for 8 s"),
    ],
)
def test_a_run_whose_server_fails_it_fails_and_is_not_slow(
    serve_python: Path, study: Path, fault: str, reached: str, failure: str, message: str
) -> None:
    run = study / "runs" / RUN
    impatient = {"PREFSWEEP_STALL_SECONDS": "8"} if failure == "timeout" else {}
    status, output = measure(serve_python, study, RUN, FAKE_FAULTS=fault, **impatient)
    assert status == 1, output[-4000:]
    assert reached in output
    record = Failure.read(run / "failure-measure.json")
    assert record.failure == failure, output[-4000:]
    assert message in record.message
    assert not [name for name in RESULTS if (run / name).exists()]


def test_the_next_job_asks_only_for_what_has_no_answer(serve_python: Path, study: Path) -> None:
    plan, kept = Plan.read(study / "plan.json"), study / "runs" / RUN / FOLDER
    generate = plan.generate.model_copy(update={"concurrency": [1]})  # so that two answers precede the third
    plan.model_copy(update={"generate": generate}).write(study / "plan.json")
    for fault in ("die-generating", "die-timing"):
        status, output = measure(serve_python, study, RUN, FAKE_FAULTS=fault)
        assert (status, kept.exists()) == (1, True), output[-4000:]
    assert "2 answers are there from a job that was stopped" in output, output[-4000:]
    assert "7 prompts answered" in output
    _, output = measure(serve_python, study, RUN, FAKE_FAULTS="die-generating die-timing")  # asked, it would die
    assert "7 answers are there from a job that was stopped" in output
    assert "7 prompts answered" in output, "answers that are there were asked for again"
