"""A full disk: said as such, costs what was being written and nothing that was complete, and over once there is room.

`results/` is a small disk of its own, which takes the right to mount one.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pandas
import pytest

from prefsweep.files import sha256_of
from tests.example_study import Shape, build_study
from tests.small_disk import small_disk
from tests.workflow.conftest import STUDY, Project, new_project

DISK_BYTES = 64_000_000
RECORDS = ("train.json", "merge.json", "generations.jsonl", "evaluation.json", "scores.json")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    found = new_project(tmp_path_factory.mktemp("disk") / "project")
    head, _, _ = STUDY.format(model="base-model").partition("  simpo:")
    (found.directory / "study.yaml").write_text(f"{head}train: {{batch_size: 16}}\nevaluate: {{kl_from_base: false}}\n")
    with small_disk(found.directory / "results", DISK_BYTES) as mounted:
        if not mounted:
            pytest.skip("mounting a small disk takes root, and the right to")
        yield found


@contextmanager
def filled(project: Project) -> Iterator[None]:
    """To the last byte."""
    ballast = project.directory / "results" / "ballast"
    with ballast.open("wb", buffering=0) as stream:
        for size in (1 << 20, 1 << 12, 1):
            while True:
                try:
                    stream.write(bytes(size))
                except OSError:
                    break
    try:
        yield
    finally:
        ballast.unlink()


def complete(project: Project) -> dict[str, str]:
    """Record → hash, of every stage that is complete."""
    runs = project.study / "runs"
    return {str(path.relative_to(runs)): sha256_of(path) for name in RECORDS for path in runs.rglob(name)}


def test_each_stage_that_fills_the_disk_fails_alone_and_the_same_command_continues(project: Project) -> None:
    """In the midst of a training, then of a measurement; then there is room again."""
    kept: dict[str, str] = {}
    for stage in ("train", "measure"):
        outcome = project.snakemake(STUB_DISASTERS=f"{stage}:dpo:fills")
        assert outcome.returncode == 1, outcome.stdout
        found = complete(project)
        assert kept.items() <= found.items()
        kept = found
        runs = pandas.read_csv(project.study / "report" / "runs.csv", keep_default_na=False).set_index("method")
        assert runs["status"].to_dict() == {"base": "finished", "dpo": "failed", "orpo": "finished"}
        assert (runs.loc["dpo", "failure_stage"], runs.loc["dpo", "failure_class"]) == (stage, "disk")
        page = (project.study / "report" / "index.html").read_text()
        assert "No space left on device" in page
        assert "Free disk space and run the same command again." in page
    assert project.snakemake().returncode == 0
    assert kept.items() <= complete(project).items()
    assert len(complete(project)) == 3 * len(RECORDS) - 1  # the base is not trained


def test_a_report_that_does_not_fit_leaves_the_one_before(project: Project) -> None:
    study = build_study(project.directory / "results", Shape(methods=("dpo",), heldout=6, showcase=1))
    report = study / "report"
    command = [sys.executable, str(project.directory / "scripts" / "compare.py"), "--output", str(report)]
    command += ["--study-directory", str(study)]
    assert subprocess.run(command, check=False).returncode == 0
    before = {path.name: sha256_of(path) for path in report.iterdir() if path.is_file()}
    (report / "runs.csv").unlink()
    with filled(project):
        outcome = subprocess.run(command, capture_output=True, text=True, check=False)
        assert outcome.returncode == 1
        assert "the report was not written (disk): " in outcome.stderr
        assert "remedy: Free disk space" in outcome.stderr
    left = {path.name: sha256_of(path) for path in report.iterdir() if path.is_file()}
    assert left.items() <= before.items()
    assert subprocess.run(command, check=False).returncode == 0
    assert {path.name: sha256_of(path) for path in report.iterdir() if path.is_file()} == before


def test_a_disk_without_room_is_refused_before_anything_starts(project: Project) -> None:
    project.edit("study.yaml", "study: tiny", "study: refused")
    with filled(project):
        outcome = project.snakemake()
        assert outcome.returncode == 2, outcome.stdout
        assert not (project.directory / "results" / "refused").exists()
    project.edit("study.yaml", "study: refused", "study: tiny")
    assert "nothing was started" in outcome.stdout
    assert "GB are to be written below results, where 0.00 GB are free" in outcome.stdout
