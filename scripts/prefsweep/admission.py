"""What a run's folder says of screening: admitted, and where it began; or stopped, which empty files say."""

from pathlib import Path

from prefsweep.failures import StageError, failure_of
from prefsweep.files import write_text

OUTPUTS = (
    "train.json", "run.json", "merge.json", "generations.jsonl", "throughput.json", "evaluation.json", "scores.json",
    "drift.jsonl", "drift.json", "judged.jsonl", "judge.json", "reward.json",
)  # fmt: skip
"""What the stages of a run leave, or leave empty."""
ADMITTED = "admitted.txt"
"""Beside a run that was admitted by screening: where it began."""
_AT = "at "


def left_empty(path: Path) -> bool:
    """Whether a file is what a stage leaves of a run that was stopped before it, or failed at a rung."""
    return path.name in OUTPUTS and path.is_file() and not path.stat().st_size


def is_finished(run: Path) -> bool:
    """Whether the run in this folder has been trained."""
    manifest = run / "train.json"
    return manifest.is_file() and manifest.stat().st_size > 0


def was_screened(run: Path) -> bool:
    """Whether the run in this folder had been admitted by screening when it was trained."""
    return (run / ADMITTED).exists()


def rung_to_continue(admitted: Path | None, point: str, run: Path, study_directory: Path) -> Path | None:
    """The folder of the rung that a point's run comes after, by the list that `admit` made; None without a list.

    It is noted in the run's folder. Raises StageError with the rung's own words where the point failed there: what
    failed in screening has failed.
    """
    (run / ADMITTED).unlink(missing_ok=True)
    if admitted is None:
        return None
    start = dict(line.split() for line in admitted.read_text(encoding="utf-8").splitlines())[point]
    write_text(run / ADMITTED, f"{start}\n")
    rung = study_directory / start
    if found := failure_of(rung):
        where = "" if found.message.startswith(_AT) else f"{_AT}{rung.name}, {found.stage}: "
        raise StageError(found.failure, where + found.message, found.remedy)
    return rung
