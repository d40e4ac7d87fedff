"""A training that is tried again: it goes on from its last whole checkpoint, if it is still the same training."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from prefsweep.checkpoints import fit_until, last_whole
from prefsweep.records.base import Record
from prefsweep.records.train import Fit, TrainRecord

CHECKPOINTS = "checkpoints"
"""Below the folder in which a run is trained: the engine's, kept until the run is done."""
_ATTEMPT = "attempt.json"


class Attempt(Record):
    """`training/attempt.json`: what the checkpoints beside it are of, and where they were taken up."""

    identity: str
    """A hash of all that decides what is learnt."""
    resumed_at_steps: list[int]


def clear(work: Path) -> None:
    """Before a training: nothing is left of an earlier attempt but what this one may go on from."""
    work.mkdir(parents=True, exist_ok=True)
    for left in work.iterdir():
        if left.is_dir() and left.name != CHECKPOINTS:
            shutil.rmtree(left)
        elif left.is_file() and left.name != _ATTEMPT:
            left.unlink()


@dataclass(frozen=True)
class Start:
    """Where a training begins: with the base model, at its rung, or where it was stopped."""

    checkpoint: Path | None
    rung: Path | None
    """The checkpoint of the run's rung; the other may be a later one."""
    resumed_at_steps: list[int]
    seconds_before: float
    """Spent on the run until here, without what was in vain: a rung's whole process, and training after it."""

    @property
    def rung_steps(self) -> int:
        """How many steps the rung had made."""
        return fit_until(self.rung).steps if self.rung else 0

    def fitted(self, last: int) -> Fit | None:
        """The whole training, if it was stopped after its last step."""
        fit = fit_until(self.checkpoint) if self.resumed_at_steps and self.checkpoint else None
        return fit.model_copy(update={"checkpoint": self.checkpoint}) if fit and fit.steps == last else None


def find_start(work: Path, rung: Path | None, identity: str) -> Start:
    """The last whole checkpoint of the same training; else the rung's. Checkpoints of another training are removed."""
    try:
        former = Attempt.read(work / _ATTEMPT)
    except (OSError, ValueError):  # none, or cut short
        former = None
    if former is None or former.identity != identity:
        shutil.rmtree(work / CHECKPOINTS, ignore_errors=True)
    stopped = last_whole(work / CHECKPOINTS)
    steps = [*former.resumed_at_steps, fit_until(stopped).steps] if former and stopped else []
    Attempt(identity=identity, resumed_at_steps=steps).write(work / _ATTEMPT)
    # Read now: the engine removes its older checkpoints as it goes on.
    return Start(stopped or rung, rung, steps, _seconds_before(stopped or rung, rung))


def _seconds_before(checkpoint: Path | None, rung: Path | None) -> float:
    trained = fit_until(checkpoint).seconds if checkpoint else 0.0
    if rung is None:
        return trained
    record = TrainRecord.read(rung.with_name("train.json"))
    return record.total_seconds - record.train_seconds + trained
