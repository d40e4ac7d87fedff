"""Two calls of Snakemake at once: exactly one works on a study, and the other says who does."""

import os
from contextlib import ExitStack

import pytest

from prefsweep.lifetime import is_held
from tests.faults.calls import LONG, STUDY, called, finished, output, training
from tests.workflow.conftest import Project, new_project

TRAINED = ("--until", "train")


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = new_project(tmp_path_factory.mktemp("callers") / "project")
    (project.directory / "study.yaml").write_text(STUDY)
    return project


def test_the_second_call_says_whose_the_study_is_and_harms_nothing(fresh: Project) -> None:
    with called(fresh, *TRAINED, STUB_SECONDS=LONG) as call:
        first = training(fresh)
        running = next(fresh.study.glob("runs/*/*/running-train.json"))
        second = fresh.snakemake(*TRAINED)
        assert second.returncode == 2, second.stdout
        assert f"results/tiny is in use by process {call.pid} on {os.uname().nodename}, since " in second.stdout
        assert f"kill -INT {call.pid}" in second.stdout
        assert "Traceback" not in second.stdout
        assert fresh.jobs(*TRAINED)["train"] == 2, "a dry run looks, and takes nothing"
        assert fresh.snakemake("partial").returncode == 0, "a report of what exists"
        fresh.edit("study.yaml", "beta: 0.1", "beta: 0.2")
        third = fresh.snakemake("plan")
        fresh.edit("study.yaml", "beta: 0.2", "beta: 0.1")
        assert third.returncode == 2, third.stdout
        assert "is in use, by another version of the study" in third.stdout
        assert call.poll() is None
        assert is_held(running)
        assert training(fresh).pid == first.pid


def test_of_two_calls_at_the_same_moment_one_runs(fresh: Project) -> None:
    with ExitStack() as calls:
        both = [calls.enter_context(called(fresh, *TRAINED, STUB_SECONDS="2")) for _ in range(2)]
        codes = sorted(call.wait() for call in both)
    assert codes == [0, 2], output(fresh)
    assert len(finished(fresh.study)) == 2
