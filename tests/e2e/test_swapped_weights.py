"""What vLLM says with another run's weights swapped in is what a server started on them says."""

import os
import subprocess
from pathlib import Path

import pytest

from prefsweep.environments import root
from prefsweep.files import read_jsonl
from prefsweep.records.measure import Evaluation, Throughput
from tests.e2e.test_parity_gates import command, copied
from tests.e2e.test_tiny_study import ARMS
from tests.real_project import FinishedStudy


def test_one_server_measured_all_runs(study: FinishedStudy) -> None:
    measured = {arm: Throughput.read(study.run(arm) / "throughput.json") for arm in ARMS}
    assert sorted(one.weights_swapped for one in measured.values()) == [False] + [True] * (len(ARMS) - 1)
    assert len({tuple(one.server_argv) for one in measured.values()}) == 1
    started = next(one for one in measured.values() if not one.weights_swapped)
    assert all(one.ready_seconds < started.ready_seconds for one in measured.values() if one.weights_swapped)


def test_a_server_of_its_own_gives_a_run_the_same_answers_and_scores(study: FinishedStudy, tmp_path: Path) -> None:
    arm = next(arm for arm in ARMS if Throughput.read(study.run(arm) / "throughput.json").weights_swapped)
    alone = copied(study, arm, tmp_path / "run")
    environment = os.environ | {"PREFSWEEP_ENVS": str(root())}
    outcome = subprocess.run(command(study, "measure", arm, alone), env=environment, capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr[-4000:]
    assert not Throughput.read(alone / "throughput.json").weights_swapped
    assert answers(alone) == answers(study.run(arm))
    one, other = (Evaluation.read(run / "evaluation.json") for run in (alone, study.run(arm)))
    assert [pair.prompt for pair in one.pairs] == [pair.prompt for pair in other.pairs]
    for name in ("chosen_log_prob", "rejected_log_prob"):
        found = [[getattr(pair, name) for pair in evaluation.pairs] for evaluation in (one, other)]
        assert found[0] == pytest.approx(found[1], rel=1e-5), (
            "as two servers of one model differ: by how requests batch"
        )


def answers(run: Path) -> list[tuple[str, str, str]]:
    rows = read_jsonl(run / "generations.jsonl")
    return [(row["prompt"], row["answer"], row["finish_reason"]) for row in rows]
