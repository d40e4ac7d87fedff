"""Measurements of runs whose own jobs have not begun, taken ahead while a server runs, for these jobs to take over.

A measurement is kept by the content of all it depends on: what has changed since makes it another's, and it is dropped.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from prefsweep.admission import left_empty
from prefsweep.files import sha256_of, sha256_of_json
from prefsweep.kept_answers import FOLDER
from prefsweep.plan import Plan, run_directory

RESULTS = ("generations.jsonl", "throughput.json", "evaluation.json")
"""What `measure` leaves of a run."""


def shared_inputs(plan: Plan, files: Sequence[Path]) -> str:
    """A hash of what all measurements of a study depend on: these files (code, tasks, documents, locks, prompts), and
    how the study says that answers are made and what is evaluated."""
    asked = plan.model_dump(mode="json", include={"generate", "tasks", "device"})
    return sha256_of_json([asked, sorted(sha256_of(file) for file in files)])


@dataclass(frozen=True)
class Kept:
    """Measurements of a study's runs, below its results."""

    study: Path
    shared: str
    """What they all depend on, beside each run's merged model."""

    def place(self, run: str, folder: Path) -> Path:
        """Where RESULTS of the run in `folder` are, if they are kept; written by `published_directory`."""
        return self._of(run) / sha256_of_json([self.shared, sha256_of(folder / "merge.json")])[:16]

    def holds(self, run: str, folder: Path) -> bool:
        """Whether the run's measurement is kept, whole: not so after a stop in the midst of `hand_over`."""
        place = self.place(run, folder)
        return all((place / name).is_file() for name in RESULTS)

    def hand_over(self, run: str, folder: Path) -> None:
        """Move what is kept into the run's own folder, and drop what was kept of it before."""
        for name in RESULTS:
            (self.place(run, folder) / name).replace(folder / name)
        shutil.rmtree(self._of(run))
        shutil.rmtree(folder / FOLDER, ignore_errors=True)  # which a kill just after the measurement leaves

    def lock(self, run: str) -> FileLock:
        """Only one job at a time measures a run."""
        folder = self._of(run)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(folder.with_name(f"{folder.name}.lock"))

    def waiting(self, plan: Plan, run: str) -> Iterator[str]:
        """Other runs of the same seed and kind that are merged and not measured, each locked while it is looked at.

        Those that another job measures at the moment are passed over.
        """
        own = plan.run(run)
        for other in plan.runs_by_id.values():
            alike = other.seed == own.seed and (other.rung is None) == (own.rung is None)
            if alike and other.id != run and self._is_merged(other.id):
                with suppress(Timeout), self.lock(other.id).acquire(timeout=0):
                    if not self._is_measured(other.id):
                        yield other.id

    def _is_merged(self, run: str) -> bool:
        manifest = run_directory(self.study, run) / "merge.json"
        return manifest.is_file() and not left_empty(manifest)

    def _is_measured(self, run: str) -> bool:
        folder = run_directory(self.study, run)
        return self.holds(run, folder) or any((folder / name).exists() for name in RESULTS)

    def _of(self, run: str) -> Path:
        return self.study / ".measured" / run.replace("/", "_")
