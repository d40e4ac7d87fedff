"""What a run leaves where a rung ends, and how it goes on from there: weights, optimiser, schedule, random numbers."""

import shutil
from pathlib import Path

from prefsweep.files import published_directory
from prefsweep.records.base import FileHash, hashed_files
from prefsweep.records.train import Fit, TrainRecord

_FIT = "fit.json"


def publish_checkpoint(fitted: Fit, directory: Path) -> list[FileHash]:
    """Keep the engine's last checkpoint in `directory`, with what was counted until then; returns its files' hashes."""
    with published_directory(directory) as folder:
        shutil.copytree(fitted.checkpoint, folder, dirs_exist_ok=True)
        fitted.model_copy(update={"checkpoint": Path()}).write(folder / _FIT)
        return hashed_files(folder)


def checkpoint_for(run: Path, rung: Path) -> Path | None:
    """Where the run in this folder goes on from a rung: nowhere if the rung was trained with another seed.

    Nor if the checkpoint is not what was written: trained anew, the run ends with the same weights, only later.
    """
    same_run = rung.parent in (run, run.parent)
    folder, manifest = rung / "checkpoint", TrainRecord.read(rung / "train.json").checkpoint
    return folder if same_run and folder.is_dir() and hashed_files(folder) == manifest else None


def fit_until(checkpoint: Path) -> Fit:
    """What was counted until a checkpoint."""
    return Fit.read(checkpoint / _FIT)
