"""A study as an experiment tracker takes it: what `track` hands to the process that has MLflow."""

from pathlib import Path
from typing import Literal

from prefsweep.files import sha256_of_json
from prefsweep.records.base import Record

RunStatus = Literal["FINISHED", "FAILED", "KILLED", "SCHEDULED"]
"""MLflow's words. Screening kills; what has left nothing yet is scheduled."""


class Curve(Record):
    """A quantity of a training, step by step; steps without a value are left out."""

    metric: str
    points: list[tuple[int, float, float]]
    """Optimiser step, value, seconds since the first step began."""


class TrackedFile(Record):
    """A file to keep with a run."""

    path: Path
    folder: str
    """Among the run's artefacts; empty: at their top."""
    sha256: str


class TrackedRun(Record):
    """One run of the tracker: the report, a point, or one of a point's runs."""

    id: str
    """`report`, or what the plan calls it."""
    parent: str | None
    name: str
    status: RunStatus
    parameters: dict[str, str]
    metrics: dict[str, float]
    tags: dict[str, str]
    description: str
    """Markdown."""
    curves: list[Curve]
    files: list[TrackedFile]
    seconds: float
    """That its stages took together."""

    def sha256(self) -> str:
        """Of all there is to log, wherever the files lie: equal runs are logged once."""
        return sha256_of_json(self.model_dump(mode="json", exclude={"files": {"__all__": {"path"}}}))


class TrackedStudy(Record):
    """A study: one experiment."""

    experiment: str
    description: str
    """Markdown."""
    reported_at: float
    """When the report was made, in seconds since 1970."""
    runs: list[TrackedRun]
    """Parents first."""
