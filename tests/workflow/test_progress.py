"""Beside a study at work: how far it is, and the report of what exists; neither disturbs it."""

import json
import subprocess
import sys

import pandas

from tests.faults.calls import called, output, training
from tests.workflow.conftest import HANGING_SECONDS, Project


def progress(project: Project, *options: str) -> str:
    """What the command prints about the study."""
    command = [sys.executable, "scripts/progress.py", "results/tiny", *options]
    return subprocess.run(command, cwd=project.directory, capture_output=True, text=True, check=True).stdout


def test_a_study_at_work_is_looked_at_and_reported(project: Project) -> None:
    project.edit("study.yaml", "  dpo: {beta: 0.1}", "  dpo: {beta: 0.3}")
    hold = project.directory / "hold"
    hold.touch()
    with called(project, STUB_HOLD=str(hold)) as call:
        training(project)
        found = json.loads(progress(project, "--json"))[0]
        told = progress(project)
        partial = project.snakemake("partial")
        assert call.poll() is None, output(project)
        hold.unlink()
        assert call.wait(HANGING_SECONDS) == 0, output(project)
    assert [(job["stage"], job["label"]) for job in found["running"]] == [("train", "dpo β=0.3 lr=5e-05")]
    assert {stage["stage"]: (stage["done"], stage["waiting"]) for stage in found["stages"]} == {
        "train": (4, 0), "merge": (5, 1), "measure": (5, 1), "score": (5, 1), "drift": (4, 1),
    }  # fmt: skip
    assert "tiny: 23 of 28 jobs done · 1 running" in told
    assert partial.returncode == 0, partial.stdout
    assert set(pandas.read_csv(project.study / "report" / "runs.csv")["status"]) == {"finished"}
    assert json.loads(progress(project, "--json"))[0]["finished"]
    assert project.jobs() == {}
