"""A server that dies while a run is measured: the run fails, and leaves no number that could be taken for slow.

The job is the real one, in the serving environment, with the real clients; only the server is not vLLM.
"""

import os
import subprocess
from pathlib import Path

import pytest

from prefsweep.environments import python_of
from prefsweep.failures import Failure
from prefsweep.plan import Plan
from prefsweep.records.base import hashed_files
from prefsweep.records.merge import Probe
from tests.example_study import Shape, merge_record
from tests.faults.serving_jobs import attested_study
from tests.real_project import ROOT
from tests.tokenizer_model import write_tokenizer_model

RUN = "dpo-00000000/seed-0"
RESULTS = ("generations.jsonl", "throughput.json", "evaluation.json")
PROBE = Probe(prompt="h0000", token_ids=[1, 2, 3], answer_tokens=1, log_probs=[-1.0, -1.0])


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
    ("fault", "reached"),
    [
        ("die-generating", "the server serves this run's merged model"),
        ("die-timing", "7 prompts answered"),
        ("die-evaluating", "6 timed passes done"),
    ],
)
def test_a_run_whose_server_dies_fails_and_is_not_slow(
    serve_python: Path, study: Path, fault: str, reached: str
) -> None:
    run = study / "runs" / RUN
    evaluate = [str(python_of("evaluate", "cpu")), str(ROOT / "scripts" / "evaluate.py")]
    command = [
        str(serve_python),
        str(ROOT / "scripts" / "measure.py"),
        "--plan",
        str(study / "plan.json"),
        "--run",
        RUN,
    ]
    command += ["--data", str(study / "data"), "--tasks", str(ROOT / "config" / "tasks"), "--evaluate", *evaluate]
    outcome = subprocess.run(
        [*command, "--output", str(run)],
        env=os.environ | {"FAKE_FAULTS": fault},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 1, outcome.stdout[-4000:]
    assert reached in outcome.stdout
    failure = Failure.read(run / "failure-measure.json")
    assert failure.failure == "server_crash", outcome.stdout[-4000:]
    assert "the server ended with status -9 while it was in use" in failure.message
    assert not [name for name in RESULTS if (run / name).exists()]
