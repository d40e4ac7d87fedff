"""Whether the disk has room for what is about to be made: merged models fill it long before anybody looks."""

import os
from collections.abc import Iterable
from pathlib import Path

from prefsweep.failures import StageError
from prefsweep.plan import Plan

RESERVE_BYTES = 20_000_000
"""Always asked for: a report, its figures, logs."""


def written_bytes(plan: Plan, jobs: Iterable[tuple[str, str]]) -> int:
    """What jobs, each a stage's name and a run's id, will leave on the disk; 0 for what cannot be estimated yet.

    Of a study that screens its points nothing is said: which of its runs are made is decided on the way, and what only
    screening needed goes again.
    """
    if plan.halving:
        return 0
    estimates: dict[tuple[str, str], int] = {
        (stage.stage, run.id): stage.disk_bytes for run in plan.runs for stage in run.estimate.stages
    }
    return sum(estimates.get(job, 0) for job in jobs)


def check_space(directory: Path, needed_bytes: int) -> None:
    """Raise StageError("disk") unless so much and a report can be written to `directory`, or where it would be made."""
    existing = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    system = os.statvfs(existing)
    free, wanted = system.f_bavail * system.f_frsize, needed_bytes + RESERVE_BYTES
    if wanted > free:
        raise StageError(
            "disk",
            f"about {wanted / 1e9:,.2f} GB are to be written below {directory}, where {free / 1e9:,.2f} GB are free",
            "Free disk space (`snakemake tidy` drops the merged weights of what is finished), make the folder a link "
            "to a larger disk, or ask for fewer runs.",
        )
