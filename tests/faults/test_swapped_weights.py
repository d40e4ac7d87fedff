"""One server for two runs: each is measured with its own weights, or left to a server of its own.

The job is the real one, in the serving environment, with the real clients and lm-eval; only the server is not vLLM.
"""

from itertools import takewhile
from pathlib import Path

import pytest

from prefsweep.plan import Plan
from prefsweep.prepared import heldout_prompts
from prefsweep.records.base import hashed_files
from prefsweep.records.measure import Evaluation, Throughput
from prefsweep.records.merge import Probe
from prefsweep.task_settings import TaskSettings
from tests.example_study import Shape, merge_record
from tests.faults.serving_jobs import attested_study, measure
from tests.tiny_models import make_tokenizer
from tests.tokenizer_model import write_tokenizer_model

LOG_PROBS = {"dpo-00000000/seed-0": -1.0, "orpo-00000000/seed-0": -2.0}
"""Run → what its model says of each token."""
DPO, ORPO = LOG_PROBS


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A study whose two trained runs are merged and not measured."""
    methods = ("dpo", "orpo")
    folder = attested_study(tmp_path, Shape(methods=methods, unfinished=methods, heldout=6, showcase=1))
    plan = Plan.read(folder / "plan.json")
    tasks = [TaskSettings(name=name) for name in ("preference-accuracy", "held-out-perplexity")]
    plan.model_copy(update={"tasks": tasks}).write(folder / "plan.json")
    for run, log_prob in LOG_PROBS.items():
        merged = folder / "runs" / run / "merged"
        write_tokenizer_model(merged)
        changes = {"model": hashed_files(merged), "probes": [probe(folder / "data", log_prob)]}
        record = merge_record(plan.run(run), plan.point_of(run)).model_copy(update=changes)
        record.write(merged.with_name("merge.json"))
    return folder


def probe(data: Path, log_prob: float) -> Probe:
    """The first held-out pair's conversation, as a model says it that says `log_prob` of each token."""
    tokenizer = make_tokenizer()
    prompt = next(one for one in heldout_prompts(data) if one.chosen)
    text = tokenizer.apply_chat_template(prompt.messages, tokenize=False, add_generation_prompt=True)
    asked, answer = (tokenizer.encode(part, add_special_tokens=False) for part in (text, prompt.chosen))
    blank = len(list(takewhile(lambda token: not tokenizer.decode([token]).strip(), reversed(asked))))
    token_ids = asked + answer
    log_probs = [log_prob] * (len(token_ids) - 1)
    return Probe(prompt=prompt.id, token_ids=token_ids, answer_tokens=blank + len(answer), log_probs=log_probs)


def test_a_server_measures_a_run_that_waits_with_that_runs_weights(serve_python: Path, study: Path) -> None:
    status, output = measure(serve_python, study, DPO, "--ahead", "1")
    assert status == 0, output[-4000:]
    assert f"the server serves {ORPO}'s merged model" in output
    assert not (study / "runs" / ORPO / "throughput.json").exists(), "it is for its own job to say that it is measured"
    status, output = measure(serve_python, study, ORPO, "--ahead", "1", FAKE_FAULTS="die")
    assert status == 0, f"a server was started:\n{output[-4000:]}"
    speeds = {run: Throughput.read(study / "runs" / run / "throughput.json") for run in LOG_PROBS}
    assert {run: one.weights_swapped for run, one in speeds.items()} == {DPO: False, ORPO: True}
    assert speeds[ORPO].ready_seconds < speeds[DPO].ready_seconds
    assert speeds[ORPO].server_argv == speeds[DPO].server_argv
    pairs = {run: Evaluation.read(study / "runs" / run / "evaluation.json").pairs for run in LOG_PROBS}
    for one, other in zip(pairs[DPO], pairs[ORPO], strict=True):
        assert other.chosen_log_prob == pytest.approx(2 * one.chosen_log_prob)
    assert [pair.prompt for pair in pairs[ORPO]] == [f"h{number:04d}" for number in range(6)]


def test_a_server_that_takes_no_other_weights_costs_no_result(serve_python: Path, study: Path) -> None:
    status, output = measure(serve_python, study, DPO, "--ahead", "1", FAKE_FAULTS="unswappable")
    assert status == 0, output[-4000:]
    assert f"{ORPO}, and what else waits, is left to its own job: StageError: the server keeps its weights" in output
    assert (study / "runs" / DPO / "throughput.json").exists()
    assert not list(study.glob(".measured/*/*"))
