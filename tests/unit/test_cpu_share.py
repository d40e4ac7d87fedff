"""How many jobs of a study compute at once, and with how many threads: by cores, jobs and memory alone."""

from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from prefsweep import cpu_share
from prefsweep.cpu_share import Share, drift_share, training_share
from prefsweep.memory import installed_bytes
from prefsweep.methods import load_method
from prefsweep.plan import Plan
from prefsweep.records.audit import DataAudit
from prefsweep.settings import TrainSettings
from tests.example_study import Shape, build_study

GB = 10**9
DPO = load_method(Path(__file__).resolve().parents[2] / "config" / "methods" / "dpo.yaml")


@pytest.mark.parametrize(
    ("cores", "jobs", "job_gb", "processes", "share"),
    [
        (2, 5, 1, 1, Share(threads=1, jobs=2)),
        (2, 1, 1, 1, Share(threads=2, jobs=1)),
        (16, 5, 1, 1, Share(threads=3, jobs=5)),
        (16, 40, 4, 1, Share(threads=4, jobs=4)),
        (4, 9, 100, 1, Share(threads=4, jobs=1)),
        (8, 9, 1, 2, Share(threads=2, jobs=4)),
        (2, 9, 1, 4, Share(threads=2, jobs=1)),
    ],
)
def test_each_has_a_core_unless_jobs_or_memory_are_scarce(
    cores: int, jobs: int, job_gb: int, processes: int, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_share, "installed_bytes", lambda: 20 * GB)
    assert Share.of(cores, jobs, job_gb * GB, processes) == share


def test_memory_is_what_this_machine_or_its_container_has() -> None:
    assert GB < installed_bytes() < 10**14


@pytest.mark.parametrize(("longest", "share"), [(100, Share(1, 4)), (4000, Share(4, 1))])
def test_long_rows_leave_room_for_fewer_trainings(
    longest: int, share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_share, "installed_bytes", lambda: 20 * GB)
    study = build_study(tmp_path, Shape(seeds=(0, 1, 2, 3)))
    plan = Plan.read(study / "plan.json")
    weights = plan.model.folder(tmp_path) / "model.safetensors"
    weights.parent.mkdir(parents=True)
    save_file({"embed_tokens.weight": numpy.zeros((50_000, 8), numpy.float32)}, weights)
    audit = DataAudit.read(study / "data" / "data.json")
    lengths = audit.row_tokens.model_copy(update={"longest": longest})
    audit.model_copy(update={"row_tokens": lengths}).write(study / "data" / "data.json")
    run = next(run.id for run in plan.runs if plan.point_of(run.id).method == "dpo")
    plan.point_of(run).settings.update(TrainSettings(batch_size=4, max_length=8192).model_dump())
    assert training_share(plan, run, DPO, study / "data", tmp_path, 4) == share
    assert drift_share(plan, tmp_path, 4) == Share(1, 4)
