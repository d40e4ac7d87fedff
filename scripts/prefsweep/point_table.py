"""`comparison.csv`: one row per point. Column names carry units (docs/results.md)."""

from collections.abc import Iterable, Sequence
from statistics import fmean

import pandas as pd

from prefsweep.alarms import Alarm, alarm_text, alarms
from prefsweep.answer_cost import COST_COLUMNS, against_base, answer_costs
from prefsweep.changes import Change, changes, changes_text, unasked
from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.judge_summary import judge_columns
from prefsweep.pareto import pareto_front
from prefsweep.results import RunResults, StudyResults
from prefsweep.reward_summary import reward_columns
from prefsweep.speed_columns import point_speed
from prefsweep.speed_control import speed_controls
from prefsweep.table import DIFFERENCE_COLUMNS, ESTIMATE_COLUMNS, Row, fields, frame
from prefsweep.tax_summary import tax_summary


def comparison_table(study: StudyResults, comparison: Comparison) -> pd.DataFrame:
    """One row per point, in the plan's order: estimate, interval, difference to the base, verdict, cost."""
    return frame(point_rows(study, comparison))


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
        row |= _tax(comparison, point.point) | judge_columns(study, comparison, point.point)
        row |= reward_columns(study, point.point) | _point_costs(finished)
        row |= point_speed(finished, control, study.plan)
        row |= fields(costs.get(point.point), COST_COLUMNS) | _against_base(against_base(costs, point.point, control))
        rows.append(row | _told(point, found, moved) | {"drift_failures": _undrifted(study, point.point)})
    front = pareto_front(rows, comparison.direction)
    return [row | front.columns(str(row["point"])) for row in rows]


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
    row |= fields(primary, {"prompts": "prompts", "excluded_prompts": "excluded_prompts"})
    row |= fields(primary.mean if primary else None, ESTIMATE_COLUMNS)
    row |= fields(primary.difference if primary else None, DIFFERENCE_COLUMNS)
    others = ("two_way_standard_error", "mcnemar_p_value", "minimum_detectable_effect")
    return row | fields(primary, {name: name for name in others})


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
    row = fields(measured.mean if measured else None, {"estimate": "estimate"})
    row |= fields(measured.difference if measured else None, ends)
    return {f"{name}_{column}": value for column, value in row.items()}


def _tax(comparison: Comparison, point: str) -> Row:
    tax = tax_summary(comparison.tax, point)
    row = fields(tax, {"tax_mean_change": "mean_change", "tax_values": "tests"})
    return row | {"tax_losses": " · ".join(tax.losses) if tax else None}


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


def _undrifted(study: StudyResults, point: str) -> str:
    failures = [run.drifted.failure for run in study.of_point(point) if run.drifted.failure]
    return " · ".join(f"{one.run}: {one.failure}: {one.message}" for one in failures)
