"""The results as tables: one row per run, one row per point. Column names carry units (docs/results.md).

Numbers stay numbers; what is missing stays empty.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pandas as pd

from prefsweep.alarms import Alarm, alarm_text, alarms, training_alarms
from prefsweep.answer_cost import against_base, answer_cost, answer_costs
from prefsweep.changes import Change, changes, changes_text, unasked
from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.files import write_jsonl, write_text
from prefsweep.judge_summary import judge_columns
from prefsweep.lesson_tables import hyperparameters_table, tries_table
from prefsweep.plan import Point
from prefsweep.results import RunResults, StudyResults
from prefsweep.samples import sample_rows
from prefsweep.speed_columns import point_speed, run_speed
from prefsweep.speed_control import speed_controls
from prefsweep.spreadsheet import csv_text
from prefsweep.tax_table import tasks_table

Cell = str | int | float | bool | None
Row = dict[str, Cell]

_FAILURE = {"failure_stage": "stage", "failure_class": "failure", "failure_message": "message"}
_TRAIN = {
    "steps": "steps",
    "expected_steps": "expected_steps",
    "training_rows": "rows",
    "sequences": "sequences",
    "training_tokens": "tokens",
    "trainable_parameters": "trainable_parameters",
    "adapter_norm": "adapter_norm",
    "kl_zero_share": "kl_zero_share",
    "train_seconds": "train_seconds",
    "train_total_seconds": "total_seconds",
    "train_peak_memory_bytes": "peak_memory_bytes",
}
_MERGE = {
    "parity_max_abs_logit_difference": "parity_max_abs_logit_difference",
    "change_max_abs_logit_difference": "change_max_abs_logit_difference",
    "merge_total_seconds": "total_seconds",
    "merge_peak_memory_bytes": "peak_memory_bytes",
}
_MEASURE = {
    "measure_total_seconds": "total_seconds",
    "measure_peak_memory_bytes": "peak_memory_bytes",
    "answer_output_tokens": "natural_output_tokens",
    "answer_wall_seconds": "natural_wall_seconds",
}
_COST = {
    "output_tokens_per_answer": "output_tokens",
    "server_seconds_per_answer": "seconds",
    "device_hours_per_1000_answers": "device_hours_per_1000",
    "cost_per_1000_answers": "money_per_1000",
}
_ESTIMATE = {"estimate": "estimate", "estimate_low": "low", "estimate_high": "high"}
_DIFFERENCE = {
    "difference_to_base": "estimate",
    "difference_low": "low",
    "difference_high": "high",
    "difference_standard_error": "standard_error",
    "p_value": "p_value",
}


def runs_table(study: StudyResults, comparison: Comparison) -> pd.DataFrame:
    """One row per planned run, in the plan's order, whatever became of it."""
    metrics = [metric.name for metric in comparison.metrics]
    settings = setting_names(study.plan.points)
    tasks = _task_columns(study.runs)
    controls = speed_controls(study)
    rows = [
        _identity(run)
        | {name: _plain(run.point.settings.get(name)) for name in settings}
        | _training(run)
        | _fields(run.merge, _MERGE)
        | _fields(run.throughput, _MEASURE)
        | {"peak_memory_bytes": run.peak_memory_bytes}
        | run_speed(run, controls, study.plan)
        | _fields(answer_cost([run], controls[max(controls)], study.plan), _COST)
        | _metric_means(run, metrics)
        | _task_values(run, tasks)
        for run in study.runs
    ]
    return _frame(rows)


def comparison_table(study: StudyResults, comparison: Comparison) -> pd.DataFrame:
    """One row per point, in the plan's order: estimate, interval, difference to the base, verdict, cost."""
    return _frame(point_rows(study, comparison))


def point_rows(study: StudyResults, comparison: Comparison) -> list[Row]:
    """The rows of `comparison.csv` as plain values."""
    control = speed_controls(study)[max(study.plan.generate.concurrency)]
    companions = [m.name for m in comparison.metrics if m.name != comparison.primary_metric]
    found = alarms(study, comparison)
    costs = answer_costs(study, control)
    moved = unasked(changes(study, comparison))
    rows: list[Row] = []
    for point in comparison.points:
        recommended: Row = {"recommended": point.point == comparison.recommended}
        row = _point_identity(point) | recommended | _primary(point, comparison) | _decision(point)
        for name in companions:
            row |= _companion(name, point.metrics.get(name))
        finished = [run for run in study.of_point(point.point) if run.status == "finished"]
        row |= judge_columns(study, point.point) | _point_costs(finished) | point_speed(finished, control, study.plan)
        row |= _fields(costs.get(point.point), _COST) | _against_base(against_base(costs, point.point, control))
        rows.append(row | _told(point, found, moved))
    return rows


def write_tables(study: StudyResults, comparison: Comparison, directory: Path) -> None:
    """Write the report's CSV files and `samples.jsonl`, each atomically."""
    write_text(directory / "runs.csv", csv_text(runs_table(study, comparison)))
    write_text(directory / "comparison.csv", csv_text(comparison_table(study, comparison)))
    write_text(directory / "tasks.csv", csv_text(tasks_table(comparison)))
    write_text(directory / "hyperparameters.csv", csv_text(hyperparameters_table(comparison)))
    write_text(directory / "tries.csv", csv_text(tries_table(comparison)))
    write_jsonl(directory / "samples.jsonl", sample_rows(study))


def setting_names(points: Iterable[Point]) -> list[str]:
    """Every hyperparameter any point has, in the order in which they first occur."""
    return list(dict.fromkeys(name for point in points for name in point.settings))


def _fields(record: object, columns: Mapping[str, str]) -> Row:
    """`columns` maps column names to attributes; all empty when there is no record."""
    return {column: None if record is None else getattr(record, name) for column, name in columns.items()}


def _identity(run: RunResults) -> Row:
    return {
        "run": run.run.id,
        "point": run.point.id,
        "method": run.point.method,
        "label": run.point.label,
        "seed": run.run.seed,
        "status": run.status,
        **_fields(run.failures[0] if run.failures else None, _FAILURE),
    }


def _training(run: RunResults) -> Row:
    losses: list[float | None] = [*run.losses] or [None]
    ends = {"first_loss": losses[0], "final_loss": losses[-1]}
    return _fields(run.train, _TRAIN) | ends | {"training_alarms": alarm_text(training_alarms(run))}


def _metric_means(run: RunResults, metrics: list[str]) -> Row:
    row: Row = {}
    for name in metrics:
        row[f"{name}_test_mean"] = run.mean_metric(name, "test")
        row[f"{name}_heldout_mean"] = run.mean_metric(name)
    return row


def _task_columns(runs: Iterable[RunResults]) -> list[tuple[str, str]]:
    evaluations = [run.evaluation for run in runs if run.evaluation]
    return sorted({(task, name) for record in evaluations for task, values in record.tasks.items() for name in values})


def _task_values(run: RunResults, columns: list[tuple[str, str]]) -> Row:
    tasks = run.evaluation.tasks if run.evaluation else {}
    return {f"task:{task}:{name}": tasks.get(task, {}).get(name) for task, name in columns}


def _point_identity(point: PointComparison) -> Row:
    return {
        "point": point.point,
        "method": point.method,
        "label": point.label,
        "seeds_planned": len(point.seeds_planned),
        "seeds_finished": len(point.seeds_finished),
        "seeds_failed": len(point.seeds_failed),
        "best_of_method": point.best_of_method,
    }


def _primary(point: PointComparison, comparison: Comparison) -> Row:
    primary = point.metrics.get(comparison.primary_metric)
    row: Row = {"metric": comparison.primary_metric, "unit": comparison.unit}
    row |= _fields(primary, {"prompts": "prompts", "excluded_prompts": "excluded_prompts"})
    row |= _fields(primary.mean if primary else None, _ESTIMATE)
    row |= _fields(primary.difference if primary else None, _DIFFERENCE)
    others = ("two_way_standard_error", "mcnemar_p_value", "minimum_detectable_effect")
    return row | _fields(primary, {name: name for name in others})


def _decision(point: PointComparison) -> Row:
    return {
        "p_adjusted": point.p_adjusted,
        "p_equivalence_adjusted": point.p_equivalence_adjusted,
        "verdict": point.verdict,
        "reason": point.reason,
        "caveats": " · ".join(point.caveats),
        "development_estimate": point.development.mean.estimate if point.development else None,
    }


def _companion(name: str, measured: MetricComparison | None) -> Row:
    ends = {"difference_to_base": "estimate", "difference_low": "low", "difference_high": "high"}
    row = _fields(measured.mean if measured else None, {"estimate": "estimate"})
    row |= _fields(measured.difference if measured else None, ends)
    return {f"{name}_{column}": value for column, value in row.items()}


def _point_costs(finished: Sequence[RunResults]) -> Row:
    trained = [run.train for run in finished if run.train]
    peaks = [peak for run in finished if (peak := run.peak_memory_bytes) is not None]
    return {
        "train_seconds": fmean(t.train_seconds for t in trained) if trained else None,
        "steps": fmean(t.steps for t in trained) if trained else None,
        "sequences": fmean(t.sequences for t in trained) if trained else None,
        "peak_memory_bytes": max(peaks, default=None),
    }


def _against_base(found: tuple[float, str] | None) -> Row:
    ratio, reason = found or (None, None)
    return {"server_seconds_ratio_to_base": ratio, "cost_reason": reason}


def _told(point: PointComparison, found: Iterable[Alarm], moved: Iterable[Change]) -> Row:
    return {
        "failures": " · ".join(f"{f.run} {f.stage}: {f.failure}: {f.message}" for f in point.failures),
        "alarms": alarm_text(alarm for alarm in found if alarm.point == point.point),
        "unasked_changes": changes_text(change for change in moved if change.point == point.point),
    }


def _plain(value: Any) -> Cell:
    if value is None or isinstance(value, str | int | float):
        return value
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _frame(rows: list[Row]) -> pd.DataFrame:
    """Values as they are (whole numbers stay whole), non-finite ones missing, columns in the rows' order."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    finite = [{name: _finite(cell) for name, cell in row.items()} for row in rows]
    return pd.DataFrame(finite, columns=columns, dtype=object)


def _finite(cell: Cell) -> Cell:
    return None if isinstance(cell, float) and not math.isfinite(cell) else cell
