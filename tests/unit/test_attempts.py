"""A training that is tried again goes on from what is whole and its own, and from nothing else."""

import shutil
from pathlib import Path

import pytest

from prefsweep.attempts import CHECKPOINTS, clear, find_start
from prefsweep.checkpoints import publish_checkpoint, seal
from prefsweep.records.train import Fit
from tests.unit.test_fitting import FITTED
from tests.unit.test_gates import trained

SAME, OTHER = "the same training", "another training"


def saved(work: Path, steps: int, *, sealed: bool = True) -> Path:
    """A checkpoint as the engine saves it."""
    checkpoint = work / CHECKPOINTS / f"checkpoint-{steps}"
    checkpoint.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json"):
        (checkpoint / name).write_text(f"{name} after {steps} steps")
    if sealed:
        seal(checkpoint, counted(checkpoint, steps))
    return checkpoint


def rung_record(folder: Path) -> None:
    """A rung whose process took 101.5 s, 3 s of them for its steps."""
    trained().model_copy(update={"train_seconds": 3.0, "total_seconds": 101.5}).write(folder / "train.json")


def counted(checkpoint: Path, steps: int) -> Fit:
    return FITTED.model_copy(update={"checkpoint": checkpoint, "steps": steps, "seconds": float(steps)})


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Stopped after 12 steps, of which checkpoints of 5 and 10 are left."""
    clear(tmp_path)
    assert find_start(tmp_path, None, SAME).checkpoint is None
    saved(tmp_path, 5)
    saved(tmp_path, 10)
    return tmp_path


def test_it_goes_on_from_the_latest_checkpoint_and_says_where(work: Path) -> None:
    start = find_start(work, None, SAME)
    assert start.checkpoint == work / CHECKPOINTS / "checkpoint-10"
    shutil.rmtree(start.checkpoint)  # as the engine does with what is no longer among the latest
    assert (start.resumed_at_steps, start.seconds_before, start.rung_steps) == ([10], 10.0, 0)
    saved(work, 15)
    assert find_start(work, None, SAME).resumed_at_steps == [10, 15]


@pytest.mark.parametrize(
    "damage",
    [
        lambda checkpoint: (checkpoint / "trainer_state.json").unlink(),
        lambda checkpoint: (checkpoint / "optimizer.pt").write_bytes(b""),
        lambda checkpoint: (checkpoint / "fit.json").unlink(),
        lambda checkpoint: checkpoint.with_name("checkpoint-10.json").unlink(),
        lambda checkpoint: checkpoint.with_name("checkpoint-10.json").write_text(""),
        lambda checkpoint: checkpoint.rename(checkpoint.with_name("moved")),
    ],
    ids=["no trainer state", "truncated", "no counts", "no seal", "an empty seal", "gone"],
)
def test_one_that_is_not_whole_is_passed_over(work: Path, damage: object) -> None:
    damage(work / CHECKPOINTS / "checkpoint-10")  # type: ignore[operator]
    start = find_start(work, None, SAME)
    assert start.checkpoint == work / CHECKPOINTS / "checkpoint-5"
    assert start.resumed_at_steps == [5]


def test_steps_are_numbers(work: Path) -> None:
    saved(work, 100)
    assert find_start(work, None, SAME).resumed_at_steps == [100]


@pytest.mark.parametrize("former", [OTHER, None], ids=["of another training", "of nobody knows what"])
def test_checkpoints_of_another_training_are_removed(work: Path, former: str | None) -> None:
    if former:
        find_start(work, None, former)
        saved(work, 5)
    else:
        (work / "attempt.json").write_text("")
    start = find_start(work, None, SAME)
    assert (start.checkpoint, start.resumed_at_steps) == (None, [])
    assert not (work / CHECKPOINTS).exists()


def test_a_training_that_was_stopped_after_its_last_step_is_not_made_again(work: Path) -> None:
    start = find_start(work, None, SAME)
    assert start.fitted(12) is None
    fitted = start.fitted(10)
    assert fitted is not None
    assert fitted.checkpoint == work / CHECKPOINTS / "checkpoint-10"


def test_a_rungs_checkpoint_is_gone_on_from_until_there_is_a_later_one(tmp_path: Path) -> None:
    engine = saved(tmp_path / "engine", 3)
    rung = tmp_path / "rung-1" / "checkpoint"
    publish_checkpoint(counted(engine, 3), rung)
    work = tmp_path / "training"
    clear(work)
    rung_record(rung.parent)
    start = find_start(work, rung, SAME)
    assert (start.checkpoint, start.rung_steps, start.resumed_at_steps, start.seconds_before) == (rung, 3, [], 101.5)
    assert start.fitted(3) is None, "the run has its own last step"
    saved(work, 5)
    start = find_start(work, rung, SAME)
    assert (start.checkpoint, start.rung_steps) == (work / CHECKPOINTS / "checkpoint-5", 3)
    assert start.seconds_before == 101.5 + 2


def test_nothing_else_is_left_of_an_earlier_attempt(work: Path) -> None:
    for name in ("fit.json", "trouble.json", "rows.jsonl"):
        (work / name).write_text("{}")
    (work / "other").mkdir()
    clear(work)
    assert {path.name for path in work.iterdir()} == {CHECKPOINTS, "attempt.json"}
