"""What a run can go on from, after a rung or a stop: weights, optimiser, schedule, random numbers, what was counted."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from prefsweep.files import published_directory
from prefsweep.records.base import FileHash, Record, hashed_files
from prefsweep.records.train import Fit, TrainRecord

_FIT = "fit.json"


class Seal(Record):
    """`checkpoint-<step>.json`, beside an engine's checkpoint: it is whole, and these are its files."""

    files: list[FileHash]


def seal(checkpoint: Path, counted: Fit) -> None:
    """After the engine has saved: put what was counted until then into the checkpoint, and the seal beside it."""
    counted.write(checkpoint / _FIT)
    Seal(files=hashed_files(checkpoint)).write(checkpoint.with_name(f"{checkpoint.name}.json"))


def last_whole(checkpoints: Path) -> Path | None:
    """The latest checkpoint that is what was written: not one that a kill cut short, nor one that was damaged since."""
    return next((checkpoint for checkpoint in _latest_first(checkpoints) if _is_whole(checkpoint)), None)


def _latest_first(checkpoints: Path) -> Iterator[Path]:
    seals = sorted(checkpoints.glob("checkpoint-*.json"), key=lambda seal: int(seal.stem.partition("-")[2]))
    return (seal.with_suffix("") for seal in reversed(seals))


def _is_whole(checkpoint: Path) -> bool:
    try:
        files = Seal.read(checkpoint.with_name(f"{checkpoint.name}.json")).files
    except ValueError:  # emptied by a power cut
        return False
    return checkpoint.is_dir() and hashed_files(checkpoint) == files


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
