"""`runs.csv`: one row per planned run. Column names carry units (docs/results.md)."""

from collections.abc import Iterable

import pandas as pd

from prefsweep.alarms import alarm_text, training_alarms
from prefsweep.answer_cost import COST_COLUMNS, answer_cost
from prefsweep.comparison import Comparison
from prefsweep.plan import Point
from prefsweep.results import RunResults, StudyResults
from prefsweep.speed_columns import run_speed
from prefsweep.speed_control import speed_controls
from prefsweep.table import Row, fields, frame, plain

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
    "resumed_at_steps": "resumed_at",
    "train_peak_memory_bytes": "peak_memory_bytes",
}
_MERGE = {
    "parity_max_abs_logit_difference": "parity_max_abs_logit_difference",
    "change_max_abs_logit_difference": "change_max_abs_logit_difference",
    "merge_total_seconds": "total_seconds",
    "merge_peak_memory_bytes": "peak_memory_bytes",
}
_DRIFT = {
    "drift_total_seconds": "total_seconds",
    "drift_peak_memory_bytes": "peak_memory_bytes",
    "drift_recoded_answers": "recoded_answers",
}
_MEASURE = {
    "measure_total_seconds": "total_seconds",
    "measure_peak_memory_bytes": "peak_memory_bytes",
    "answer_output_tokens": "natural_output_tokens",
    "answer_wall_seconds": "natural_wall_seconds",
    "resumed_at_answers": "resumed_at",
}


def runs_table(study: StudyResults, comparison: Comparison) -> pd.DataFrame:
    """One row per planned run, in the plan's order, whatever became of it."""
    return frame(run_rows(study, comparison))


def run_rows(study: StudyResults, comparison: Comparison) -> list[Row]:
    """The rows of `runs.csv` as plain values."""
    metrics = [metric.name for metric in comparison.metrics]
    settings = setting_names(study.plan.points)
    tasks = _task_columns(study.runs)
    controls = speed_controls(study)
    return [
        _identity(run)
        | {name: plain(run.point.settings.get(name)) for name in settings}
        | _training(run)
        | fields(run.merge, _MERGE)
        | fields(run.throughput, _MEASURE)
        | fields(run.drifted.record, _DRIFT)
        | {"peak_memory_bytes": run.peak_memory_bytes}
        | run_speed(run, controls, study.plan)
        | fields(answer_cost([run], controls[max(controls)], study.plan), COST_COLUMNS)
        | _metric_means(run, metrics)
        | _task_values(run, tasks)
        for run in study.runs
    ]


def setting_names(points: Iterable[Point]) -> list[str]:
    """Every hyperparameter any point has, in the order in which they first occur."""
    return list(dict.fromkeys(name for point in points for name in point.settings))


def _identity(run: RunResults) -> Row:
    return {
        "run": run.run.id,
        "point": run.point.id,
        "method": run.point.method,
        "label": run.point.label,
        "seed": run.run.seed,
        "status": run.status,
        **fields(run.failures[0] if run.failures else None, _FAILURE),
    }


def _training(run: RunResults) -> Row:
    losses: list[float | None] = [*run.losses] or [None]
    ends = {"first_loss": losses[0], "final_loss": losses[-1]}
    return fields(run.train, _TRAIN) | ends | {"training_alarms": alarm_text(training_alarms(run))}


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
