"""The room that runs will take is known before the first of them is made."""

import os
import random
from pathlib import Path
from types import SimpleNamespace

import pytest

from prefsweep.disk_space import RESERVE_BYTES, check_space, written_bytes
from prefsweep.failures import StageError
from prefsweep.plan import Estimate, Plan, StageEstimate
from prefsweep.search import Halving
from tests.example_study import Shape, build_study


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """Each run leaves 10 bytes of adapter and 1,000 of merged weights."""
    found = Plan.read(build_study(tmp_path, Shape(methods=("dpo", "kto"), heldout=4)) / "plan.json")
    stages = [
        StageEstimate(stage="train", seconds=1, gpus=0, disk_bytes=10, basis="first guess"),
        StageEstimate(stage="merge", seconds=1, gpus=0, disk_bytes=1000, basis="first guess"),
    ]
    estimate = Estimate(steps=1, sequences=1, seconds=2, disk_bytes=1010, stages=stages)
    return found.model_copy(update={"runs": [run.model_copy(update={"estimate": estimate}) for run in found.runs]})


def test_jobs_that_will_run_are_counted_and_no_others(plan: Plan) -> None:
    run, other = random.Random(0).sample([run.id for run in plan.runs], 2)
    assert written_bytes(plan, [("train", run), ("merge", run), ("score", run), ("merge", other)]) == 2010
    assert written_bytes(plan, []) == 0


def test_what_is_not_known_is_not_counted(plan: Plan) -> None:
    unknown = Estimate(steps=None, sequences=None, seconds=None, disk_bytes=None)
    runs = [run.model_copy(update={"estimate": unknown}) for run in plan.runs]
    assert written_bytes(plan.model_copy(update={"runs": runs}), [("merge", runs[0].id)]) == 0
    screened = plan.model_copy(update={"halving": Halving(start=0.25, keep=0.5, rungs=1, within="method")})
    assert written_bytes(screened, [("merge", plan.runs[0].id)]) == 0


def test_a_disk_that_cannot_hold_it_is_refused_with_both_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_bavail=1_000_000, f_frsize=4096))
    check_space(tmp_path / "results" / "not-yet", 4_096_000_000 - RESERVE_BYTES)
    with pytest.raises(StageError, match=r"about 4\.10 GB .*, where 4\.10 GB are free") as caught:
        check_space(tmp_path / "results", 4_096_000_001 - RESERVE_BYTES)
    assert caught.value.failure == "disk"
    assert "snakemake tidy" in caught.value.remedy
