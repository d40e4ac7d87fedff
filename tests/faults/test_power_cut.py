"""A power cut: what was not synced is lost, and what counts as finished is whole nevertheless.

The disk is `volatile_disk.py`: a real file system, which forgets.
"""

import json
import random
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefsweep.files import published_directory, sha256_of, write_json, write_text
from tests.faults.calls import awaited
from tests.faults.mounts import NEVER, mounted, require_fuse, started
from tests.workflow.conftest import STUDY, Project, new_project

SURVIVES = pytest.mark.parametrize("survives", ["synced", "named"])
TWO_METHODS, _, _ = STUDY.format(model="base-model").partition("  simpo:")
SMALL_STUDY = f"{TWO_METHODS}train: {{batch_size: 16}}\nevaluate: {{kl_from_base: false}}\n"
STUDY_CHANGES, MOST_CUTS = 1000, 6
"""Changes of the disk before a cut, at most; cuts before the study is left alone."""
RECORDS = ("train.json", "merge.json", "generations.jsonl", "throughput.json", "evaluation.json", "scores.json")
MOST_CHANGES = 40
"""More than a publication makes."""
WEIGHTS = {"weights": bytes(10_000), "more/config": b"{}"}


@pytest.fixture(autouse=True, scope="module")
def fuse() -> None:
    require_fuse()


@SURVIVES
def test_the_disk_forgets_what_was_not_synced(tmp_path: Path, survives: str) -> None:
    disk, mount = tmp_path / "disk", tmp_path / "mount"
    disk.mkdir()
    (disk / "log").write_text("before")
    with mounted("volatile_disk", disk, mount, survives, str(NEVER)):
        (mount / "log").write_text("after")
        (mount / "careless").write_text("not synced")
        (mount / "careless").rename(mount / "record.json")
        write_text(mount / "folder" / "record.json", "synced")
        (mount / "folder").rename(mount / "moved")
        assert (mount / "record.json").read_text() == "not synced"
    found = {str(file.relative_to(disk)): file.read_text() for file in disk.rglob("*") if file.is_file()}
    if survives == "synced":
        assert found == {"log": "before", "folder/record.json": "synced"}
    else:
        assert found == {"log": "", "record.json": "", "moved/record.json": "synced"}


@SURVIVES
def test_a_record_vouches_for_nothing_that_a_power_cut_took(tmp_path: Path, survives: str) -> None:
    """Cut before each change of a second publication, in turn: the record is the first or the second, and whole."""
    versions: list[int] = []
    for moment in range(MOST_CHANGES):
        disk, mount = tmp_path / f"disk-{moment}", tmp_path / "mount"
        publish(disk, 1)
        with mounted("volatile_disk", disk, mount, survives, str(moment)), suppress(OSError):
            publish(mount, 2)
            (mount / "further").touch()
        record = json.loads((disk / "record.json").read_text())
        versions.append(record["version"])
        if record["version"] == 2:
            assert record["files"] == hashes(disk / "model")
            break
    assert versions == [1] * moment + [2]
    assert moment > len(WEIGHTS), "the first cuts came before it"


def publish(folder: Path, version: int) -> None:
    """Weights, and the record that names their hashes, as stages do."""
    with published_directory(folder / "model") as model:
        (model / "more").mkdir()
        for name, content in WEIGHTS.items():
            (model / name).write_bytes(content + bytes([version]))
    write_json(folder / "record.json", {"version": version, "files": hashes(folder / "model")})


def hashes(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): sha256_of(file) for file in sorted(folder.rglob("*")) if file.is_file()}


@dataclass(frozen=True)
class Study:
    """A study that was run once; a project in which it was not, for a disk that is shown where it was."""

    project: Project
    fresh: Path
    undisturbed: dict[str, str]

    def outcome(self, power: subprocess.Popen[bytes], said: Path) -> int | None:
        """Exit status of one call; None if there was no power until its end."""
        command = [sys.executable, "-m", "snakemake", "--cores", "2", "--configfile", "study.yaml"]
        with started("node", command, self.project.directory, self.project.environment, said) as call:
            awaited(lambda: power.poll() is not None or call.poll() is not None)
            return None if power.poll() is not None else call.returncode


def records(project: Path) -> dict[str, str]:
    """Record → hash, of every stage that is complete."""
    runs = project / "results" / "tiny" / "runs"
    return {str(path.relative_to(runs)): sha256_of(path) for name in RECORDS for path in runs.rglob(name)}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Run once on an ordinary disk."""
    folder = tmp_path_factory.mktemp("power")
    project = new_project(folder / "project")
    (project.directory / "study.yaml").write_text(SMALL_STUDY)
    fresh = shutil.copytree(project.directory, folder / "fresh", symlinks=True)
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    undisturbed = records(project.directory)
    shutil.rmtree(project.directory)
    return Study(project, fresh, undisturbed)


def test_a_study_whose_power_is_cut_again_and_again_ends_as_one_that_was_left_alone(
    study: Study, tmp_path: Path
) -> None:
    """Each cut comes after a number of changes to the disk that is drawn at random, and the same command continues."""
    disk, chance = shutil.copytree(study.fresh, tmp_path / "disk", symlinks=True), random.Random("synced")
    status, cuts = None, 0
    while status is None:
        changes = chance.randrange(STUDY_CHANGES) if cuts < MOST_CUTS else NEVER
        with mounted("volatile_disk", disk, study.project.directory, "synced", str(changes)) as power:
            status = study.outcome(power, tmp_path / "output")
        found = records(disk)
        assert found.items() <= study.undisturbed.items()
        cuts += status is None
    assert status == 0, (tmp_path / "output").read_text()
    assert found == study.undisturbed
    assert cuts > 3
