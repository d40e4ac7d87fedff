"""A study as an experiment of MLflow: its points, below them their runs, and a run that holds the report.

What is logged is what `runs.csv` and `comparison.csv` say. A value that does not exist is not logged, never zero.
"""

import math
import re
from collections.abc import Container, Iterator, Mapping
from itertools import accumulate, chain, count
from pathlib import Path

from prefsweep.attestation import CRATE, FILE
from prefsweep.comparison import Comparison
from prefsweep.files import sha256_of
from prefsweep.plan import Point, run_directory
from prefsweep.point_table import point_rows
from prefsweep.printed_table import markdown_text
from prefsweep.records.tracked import Curve, RunStatus, TrackedFile, TrackedRun, TrackedStudy
from prefsweep.records.train import TrainStep
from prefsweep.rendering import visible
from prefsweep.results import RunResults, Status, StudyResults
from prefsweep.run_table import run_rows
from prefsweep.table import Cell, Row, plain
from prefsweep.verdict import Verdict
from prefsweep.written_tables import table

REPORT = "report"
CURVES = tuple(name for name in TrainStep.model_fields if name not in ("step", "epoch", "seconds"))
_OF_RUN: dict[Status, RunStatus] = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "unfinished": "SCHEDULED",
}
_OF_POINT: dict[Verdict, RunStatus] = {"failed": "FAILED", "stopped": "KILLED", "not finished": "SCHEDULED"}
_KEY_CHARACTERS, _VALUE_CHARACTERS = 240, 5000
"""What MLflow keeps of a name, and of a parameter's or a tag's text (servers from 2.8 on)."""
_FORBIDDEN = re.compile(r"[^\w.\- ]")


def experiment(study: StudyResults, comparison: Comparison) -> TrackedStudy:
    """The whole study, however much of it has finished. Raises FileNotFoundError when it has no report."""
    report = study.directory / "report"
    points = {str(row["point"]): row for row in point_rows(study, comparison)}
    return TrackedStudy(
        experiment=f"prefsweep/{study.plan.study}",
        description=_description(study, comparison),
        reported_at=(report / "index.html").stat().st_mtime,
        runs=[
            _report(study, comparison),
            *(_point(study, comparison, point, points[point.id]) for point in study.plan.points),
            *_runs(study, comparison),
        ],
    )


def _description(study: StudyResults, comparison: Comparison) -> str:
    """What the numbers are: names carry units, and what does not is listed."""
    plan = study.plan
    metrics = [(f"`{metric.name}_…`", metric.unit, metric.direction) for metric in comparison.metrics]
    return (
        f"Preference-tuning methods compared on {markdown_text(plan.model.name)} and {markdown_text(plan.data.name)} "
        "by prefsweep. A run of this experiment is a point with the columns of `comparison.csv`; below it are its "
        "runs, one per seed, with those of `runs.csv` and, as `train/…`, their training step by step. The run "
        f"`{REPORT}` has the page and the tables. What does not exist is not logged. A run lasts as long as its "
        "stages took, and ends when the report was made.\n\n"
        "Names carry units: `…_seconds`, `…_bytes`, `…_per_second`, `…_share`. Others are counts, or a metric:\n\n"
        + table(("metric", "unit", "better"), metrics)
    )


def _report(study: StudyResults, comparison: Comparison) -> TrackedRun:
    plan = study.plan
    folder = study.directory / "report"
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    attested = [path for name in (FILE, CRATE) if (path := study.directory / name).exists()]
    return TrackedRun(
        id=REPORT,
        parent=None,
        name=REPORT,
        status="FINISHED",
        parameters={},
        metrics={},
        tags=_texts({
            "study": plan.study, "model": plan.model.name, "model_revision": plan.model.revision,
            "data": plan.data.name, "data_revision": plan.data.revision,
            "primary_metric": comparison.primary_metric, "recommended": comparison.recommended,
        }),
        description=markdown_text(comparison.headline),
        curves=[],
        files=[_file(path, study.directory) for path in (*attested, *paths)],
        seconds=0,
    )  # fmt: skip


def _point(study: StudyResults, comparison: Comparison, point: Point, row: Row) -> TrackedRun:
    compared = comparison.point(point.id)
    metrics, tags = _split(row, ())
    return TrackedRun(
        id=point.id,
        parent=None,
        name=visible(point.label),
        status=_OF_POINT.get(compared.verdict, "FINISHED"),
        parameters=_parameters(point),
        metrics=metrics,
        tags=tags,
        description=markdown_text(" ".join([compared.reason, *compared.caveats])),
        curves=[],
        files=[],
        seconds=sum(_seconds(run) for run in study.of_point(point.id)),
    )


def _runs(study: StudyResults, comparison: Comparison) -> Iterator[TrackedRun]:
    for run, row in zip(study.runs, run_rows(study, comparison), strict=True):
        metrics, tags = _split(row, {"seed", *run.point.settings})
        folder = run_directory(study.directory, run.run.id)
        failures = sorted(folder.glob("failure-*.json")) if run.failures else []
        yield TrackedRun(
            id=run.run.id,
            parent=run.point.id,
            name=visible(f"{run.point.label} seed {run.run.seed}"),
            status=_OF_RUN[run.status],
            parameters=_parameters(run.point) | {"seed": str(run.run.seed)},
            metrics=metrics,
            tags=tags | {"seed": str(run.run.seed), "verdict": comparison.point(run.point.id).verdict},
            description=_failures(run),
            curves=list(_curves(run)),
            files=[_file(path, folder) for path in failures],
            seconds=_seconds(run),
        )


def _parameters(point: Point) -> dict[str, str]:
    """The method and its resolved settings; one that is left to the engine has no value and is left out."""
    return _texts({"method": point.method} | {name: plain(value) for name, value in point.settings.items()})


def _split(row: Row, elsewhere: Container[str]) -> tuple[dict[str, float], dict[str, str]]:
    """A table's row as metrics, which are its numbers, and tags. `elsewhere` are columns that are neither."""
    cells = {name: cell for name, cell in row.items() if name not in elsewhere}
    numbers = {
        name: float(cell)
        for name, cell in cells.items()
        if isinstance(cell, int | float) and not isinstance(cell, bool) and math.isfinite(cell)
    }
    return _named(numbers), _texts({name: cell for name, cell in cells.items() if isinstance(cell, str | bool)})


def _named(values: Mapping[str, float]) -> dict[str, float]:
    """Under names that MLflow takes: `task:gsm8k:exact_match,strict` becomes `task/gsm8k/exact_match/strict`.

    It shows what comes before the last slash as a group. Two columns never share a name.
    """
    named: dict[str, float] = {}
    for column, value in values.items():
        parts = [_FORBIDDEN.sub("_", part).lstrip(".") or "_" for part in re.split("[:,/]", column)]
        name = "/".join(parts)[:_KEY_CHARACTERS].rstrip("/")
        others = (f"{name}_{number}" for number in count(2))
        named[next(key for key in chain([name], others) if key not in named)] = value
    return named


def _texts(values: Mapping[str, Cell]) -> dict[str, str]:
    """What there is, as text in which nothing hides, cut to what MLflow keeps."""
    texts = {name: visible(str(value)) for name, value in values.items() if value not in (None, "")}
    return {
        name: text if len(text) <= _VALUE_CHARACTERS else f"{text[: _VALUE_CHARACTERS - 1]}…"
        for name, text in texts.items()
    }


def _failures(run: RunResults) -> str:
    return "\n\n".join(
        f"**{failure.failure}** in {markdown_text(failure.stage)}: {markdown_text(failure.message)}. "
        f"{markdown_text(failure.remedy)}"
        for failure in run.failures
    )


def _curves(run: RunResults) -> Iterator[Curve]:
    """Of the training, the quantities that its method defines."""
    history = run.train.history if run.train else []
    began = [0.0, *accumulate(step.seconds for step in history)]
    for name in CURVES:
        found = [(step.step, getattr(step, name), seconds) for step, seconds in zip(history, began, strict=False)]
        points = [point for point in found if point[1] is not None and math.isfinite(point[1])]
        if points:
            yield Curve(metric=f"train/{name}", points=points)


def _seconds(run: RunResults) -> float:
    records = (run.train, run.merge, run.throughput, run.drifted.record)
    return sum(record.total_seconds for record in records if record)


def _file(path: Path, above: Path) -> TrackedFile:
    """`above` is the folder whose parts are kept."""
    folder = path.parent.relative_to(above).as_posix()
    return TrackedFile(path=path.resolve(), folder="" if folder == "." else folder, sha256=sha256_of(path))
