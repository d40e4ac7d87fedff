"""The answer first: the headline, a few figures, what limits them, and how much of the study is in."""

from collections.abc import Mapping

from prefsweep.alarms import alarms
from prefsweep.baselines import exploitable_rule
from prefsweep.board_cells import minutes
from prefsweep.comparison import Comparison, MetricComparison, PointComparison
from prefsweep.data_section import unbeaten_rule
from prefsweep.leaderboard import gibibytes, number, title_of
from prefsweep.metrics import METRICS
from prefsweep.plan import BASE
from prefsweep.results import StudyResults
from prefsweep.speed_conditions import disturbances
from prefsweep.speed_control import speed_controls
from prefsweep.table import Row
from prefsweep.wording import amount, count, range_text, signed, unit_in_cells

CAVEATS_IN_THE_OPEN = 3
"""The gravest; the others are folded, so that the answer and what it is worth are read at a glance."""


def opening(comparison: Comparison) -> tuple[str, str]:
    """The headline as a title and the sentences that support it."""
    title, _, support = comparison.headline.partition(": ")
    return title, _capitalised(_for_people(support, comparison))


def banner(study: StudyResults, *, partial: bool) -> str:
    """`3 of 6 runs finished, 1 failed` whenever that is not all of them, and always on a partial report."""
    finished, stopped, failed = (len(study.with_status(status)) for status in ("finished", "stopped", "failed"))
    if finished + stopped == len(study.runs) and not partial:
        return ""
    start = "Partial report: " if partial else ""
    screened = f", {stopped:,} stopped in screening" if stopped else ""
    return f"{start}{finished:,} of {count(len(study.runs), 'run')} finished{screened}, {failed:,} failed."


def particulars(study: StudyResults) -> list[tuple[str, str]]:
    """The study in a line: what was compared, on what."""
    plan = study.plan
    methods = list(dict.fromkeys(point.method for point in plan.points if point.method != BASE))
    rows = study.audit.training_rows if study.audit else plan.data.rows
    data = f"{plan.data.name}{' (synthetic)' if plan.data.synthetic else ''}"
    finished, stopped = len(study.with_status("finished")), len(study.with_status("stopped"))
    return [
        ("Model", plan.model.name),
        ("Data", data if rows is None else f"{data}, {count(rows, 'training row')}"),
        ("Methods", ", ".join(methods)),
        ("Runs", f"{finished:,} of {len(study.runs):,} finished" + (f", {stopped:,} stopped early" if stopped else "")),
        ("Device", plan.device),
    ]


def primary_metric(comparison: Comparison) -> dict[str, str]:
    """The primary metric in words."""
    metric = METRICS[comparison.primary_metric]
    return {"title": title_of(metric.name), "description": metric.description}


def tiles(comparison: Comparison, rows: Mapping[str, Row]) -> list[dict[str, str]]:
    """The recommended point in a few figures; nothing when there is none."""
    if comparison.recommended is None:
        return []
    point, unit = comparison.point(comparison.recommended), comparison.unit
    primary = point.metrics.get(comparison.primary_metric)
    found = [_difference_tile(comparison, primary)] if primary and primary.difference else []
    if primary and primary.minimum_detectable_effect is not None:
        found.append(_detectable_tile(primary.minimum_detectable_effect, unit))
    evidence = f"and {count(len(point.seeds_finished), 'seed')}; chosen on {comparison.development_prompts:,} others"
    found.append({"name": "test prompts", "value": f"{comparison.test_prompts:,}", "note": evidence})
    return found + _length_tile(comparison, point) + _cost_tile(rows[point.point])


def caveats(study: StudyResults, comparison: Comparison) -> list[str]:
    """Everything that limits the answer, each said once, the gravest first.

    First what the answer may really be about, then how little it rests on, then whether methods had equal chances and
    the data are sound, then what concerns speeds and costs alone.
    """
    recommended = comparison.point(comparison.recommended).caveats if comparison.recommended else []
    hacked = [
        f"The recommended point raised an alarm: {alarm.name} ({alarm.sentence})."
        for alarm in alarms(study, comparison)
        if alarm.point == comparison.recommended
    ]
    rule = unbeaten_rule(study.traits, comparison)
    weaker = exploitable_rule(study.traits.baselines) if rule and study.traits else None
    notices = [notice for record in (study.audit, study.traits) if record for notice in record.notices]
    of_data = [notice for notice in notices if notice != weaker]
    speed = [control.reason for control in speed_controls(study).values() if control.failed] + disturbances(study)
    data = [*comparison.notices, *of_data, *study.plan.notices]
    clauses = [_capitalised(text) for text in recommended]
    said = [*hacked, *([rule] if rule else []), *clauses, *data, *speed]
    return list(dict.fromkeys(f"{_for_people(text, comparison).removesuffix('.')}." for text in said))


def _for_people(sentence: str, comparison: Comparison) -> str:
    """A sentence that names metrics as people do."""
    for name in sorted((metric.name for metric in comparison.metrics), key=len, reverse=True):
        sentence = sentence.replace(name, title_of(name))
    return sentence


def _capitalised(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _difference_tile(comparison: Comparison, primary: MetricComparison) -> dict[str, str]:
    assert primary.difference is not None
    value = signed(primary.difference.estimate, unit_in_cells(comparison.unit))
    note = _with_unit(f"95 % interval {range_text(primary.difference, comparison.unit)}", comparison.unit)
    return {"name": f"{title_of(comparison.primary_metric)}, difference to base", "value": value, "note": note}


def _detectable_tile(effect: float, unit: str) -> dict[str, str]:
    value, note = amount(effect, unit_in_cells(unit)), _with_unit("with 80 % power, over all points", unit)
    if unit == "share" and effect > 1:
        value, note = "none", "even all or nothing would go unnoticed: too few prompts"
    return {"name": "smallest detectable difference", "value": value, "note": note}


def _with_unit(note: str, unit: str) -> str:
    """A tile's note, headed by the unit where the tile's number does without."""
    return note if unit_in_cells(unit) == unit else f"{unit}, {note}"


def _length_tile(comparison: Comparison, point: PointComparison) -> list[dict[str, str]]:
    measured = point.metrics.get("words")
    base = next((p.metrics.get("words") for p in comparison.points if p.method == BASE), None)
    if measured is None:
        return []
    note = f"on average; the base {base.mean.estimate:.0f}" if base else "on average"
    return [{"name": "answer length", "value": f"{measured.mean.estimate:.0f} words", "note": note}]


def _cost_tile(row: Row) -> list[dict[str, str]]:
    seconds, peak = number(row, "train_seconds"), number(row, "peak_memory_bytes")
    if seconds is None or peak is None:
        return []
    memory = f"at most {gibibytes(peak)} of memory"
    return [{"name": "training per seed", "value": minutes(seconds), "note": memory}]
