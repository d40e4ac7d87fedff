"""A study that is stopped or killed: what was finished stays, nothing of it lives on, the same command continues."""

import signal

import pandas
import psutil
import pytest

from tests.faults.calls import LONG, STUDY, alive, called, caller, finished, output, stopped, training
from tests.workflow.conftest import Project, new_project

QUIET_SECONDS = 10
TRAINED = ("--until", "train")


@pytest.fixture(scope="module")
def half_done(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A study of which one method is trained. Tests train the other, and leave it untrained."""
    project = new_project(tmp_path_factory.mktemp("stops") / "project")
    (project.directory / "study.yaml").write_text(STUDY)
    outcome = project.snakemake(*TRAINED, STUB_FAIL="dpo")
    assert outcome.returncode == 1, outcome.stdout
    assert len(finished(project.study)) == 1
    return project


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_stop_is_quiet_soon_reported_and_told_by_the_exit_status(half_done: Project, number: signal.Signals) -> None:
    before = finished(half_done.study)
    with called(half_done, STUB_SECONDS=LONG) as call:
        run = training(half_done).run
        quiet, _ = stopped(call, number)
        assert call.returncode == 128 + number, output(half_done)
    assert quiet < QUIET_SECONDS
    assert f"stopped by {number.name}. The same command continues." in output(half_done)
    assert caller(half_done)["ended"]
    runs = pandas.read_csv(half_done.study / "report" / "runs.csv").set_index("run")
    assert runs.loc[run, "failure_class"] == "killed"
    assert finished(half_done.study) == before
    assert half_done.jobs(*TRAINED) == {"train": 1}


def test_after_sigkill_the_same_command_ends_what_still_trains_and_goes_on(half_done: Project) -> None:
    before = finished(half_done.study)
    with called(half_done, *TRAINED, STUB_SECONDS=LONG) as call:
        orphan = training(half_done)
        call.kill()
        call.wait()
        process = psutil.Process(orphan.pid)
        assert alive(process)
        assert caller(half_done)["ended"] is None
        outcome = half_done.snakemake(*TRAINED)
        assert outcome.returncode == 0, outcome.stdout
        assert not alive(process)
    line = f"prefsweep: ended train of {orphan.run} (process {orphan.pid}), which a killed call had left."
    assert line in outcome.stdout
    assert "cannot be locked" not in outcome.stdout
    after = finished(half_done.study)
    assert {name: after[name] for name in before} == before
    assert len(after) == 2
    assert caller(half_done)["ended"]
