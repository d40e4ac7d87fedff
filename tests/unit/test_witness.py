"""What a soak's zeros rest on: each thing that must not be is seen where it is."""

import signal
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from prefsweep.plan import run_directory
from tests.example_study import Shape, build_study
from tests.journal import VARIABLE, Journal, note, noted
from tests.witness import WRONG, Witness
from tests.workflow.conftest import Project


@pytest.fixture
def witness(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Witness:
    """Of a study of two runs, each of which its engines have done, as a call that ends well has left it."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "journal"))
    project = Project(tmp_path)
    made = build_study(tmp_path / "results", Shape(methods=("dpo",), heldout=6, showcase=1))
    made.rename(project.study)
    found = Witness(project, Journal(tmp_path / "journal"), Counter())
    for stage, run in found.left():
        note("asked", stage, run)
        with noted(stage, run):
            pass
        note("done", stage, run)
    found.read()
    found.watch()
    return found


def told(witness: Witness, status: str = "finished") -> None:
    """The report says so of the trained run, and that the base is finished."""
    base, trained = sorted(witness.runs())
    (witness.project.study / "report").mkdir(exist_ok=True)
    (witness.project.study / "report" / "runs.csv").write_text(f"run,status\n{base},finished\n{trained},{status}\n")


def wrong(
    witness: Witness, status: int = 0, stop: signal.Signals | None = None, alive: set[int] | None = None
) -> list[str]:
    witness.judge(status, stop, alive or set())
    return [name for name in WRONG if witness.count[name]]


def trained(witness: Witness) -> str:
    return max(witness.runs())


def test_a_study_that_ended_well_has_nothing_wrong(witness: Witness) -> None:
    told(witness)
    assert witness.left() == []
    assert wrong(witness) == []
    assert witness.finished
    assert witness.runs_finished == 2


@pytest.mark.parametrize("change", [Path.unlink, lambda record: record.write_text("{}")], ids=["gone", "changed"])
def test_a_record_that_was_complete_is_missed(witness: Witness, change: Callable[[Path], object]) -> None:
    change(run_directory(witness.project.study, trained(witness)) / "merge.json")
    told(witness)
    assert wrong(witness) == ["records_lost"]


def test_a_stage_that_is_done_again_and_a_second_writer_are_seen(witness: Witness) -> None:
    told(witness)
    with noted("merge", trained(witness)), noted("merge", trained(witness)):
        pass
    note("done", "measure", trained(witness))
    assert wrong(witness) == ["stages_done_again", "two_writers"]


@pytest.mark.parametrize("status", ["finished", "failed", "unfinished"])
def test_a_stage_that_was_struck_has_failed_and_nothing_else(witness: Witness, status: str) -> None:
    run_directory(witness.project.study, trained(witness)).joinpath("train.json").unlink()
    witness.watch()
    witness.count.clear()
    note("begun", "train", trained(witness))
    note("struck", "train", trained(witness), "hangs")
    told(witness, status)
    found = {"finished": ["silent_successes", "wrong_statuses"], "failed": [], "unfinished": ["wrong_statuses"]}
    assert wrong(witness, status=0 if status == "finished" else 1) == found[status]
    assert witness.count["strikes_hangs"] == 1


@pytest.mark.parametrize("stop", [None, signal.SIGTERM])
def test_scoring_fails_where_a_call_was_stopped_and_nowhere_else(witness: Witness, stop: signal.Signals | None) -> None:
    run_directory(witness.project.study, trained(witness)).joinpath("scores.json").unlink()
    witness.watch()
    witness.count.clear()
    told(witness, "failed")
    assert wrong(witness, status=1, stop=stop) == ([] if stop else ["wrong_statuses"])


def test_an_exit_status_that_does_not_fit_and_a_process_that_is_left_are_seen(witness: Witness) -> None:
    told(witness)
    assert wrong(witness, status=1) == ["wrong_exit_statuses"]
    witness.count.clear()
    assert wrong(witness, status=130, stop=signal.SIGINT, alive={1}) == ["left_alive"]
    witness.count.clear()
    assert wrong(witness, status=-9, stop=signal.SIGKILL, alive={1}) == []


def test_what_snakemake_is_at_work_on_is_not_complete(witness: Witness) -> None:
    scores = run_directory(witness.project.study, trained(witness)) / "scores.json"
    scores.unlink()
    witness.watch()
    witness.count.clear()
    marks = witness.project.directory / ".snakemake" / "incomplete"
    marks.mkdir(parents=True)
    (marks / mark_of(scores.relative_to(witness.project.directory))).touch()
    scores.write_text("{}")
    witness.watch()
    scores.unlink()
    told(witness, "unfinished")
    assert wrong(witness, status=1) == []


def mark_of(path: Path) -> str:
    """As Snakemake names it."""
    return urlsafe_b64encode(str(path).encode()).decode()
