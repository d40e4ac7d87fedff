"""What a sceptic reads, as tables: alarms, failed runs, every run's provenance."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from prefsweep.alarms import Alarm
from prefsweep.answer_card import cut
from prefsweep.comparison import Comparison
from prefsweep.plan import BASE, Point
from prefsweep.results import RunResults, StudyResults
from prefsweep.run_table import setting_names
from prefsweep.wording import amount, probability, unit_in_cells, unit_of_table

MOST_RUNS_IN_FULL = 60
MOST_ITEMS = 12
MOST_FACTS = 250

Facts = list[tuple[str, str]]
Table = dict[str, Any]
"""`caption`, `heads` (the first one names the rows) and `rows` of `name`, `method` and `cells`."""


def alarm_rows(study: StudyResults, alarms: Sequence[Alarm]) -> list[dict[str, str]]:
    """Each alarm with the point, and the seed where it is about one run only."""
    points = {point.id: point for point in study.plan.points}
    seeds = {run.run.id: f", seed {run.run.seed}" for run in study.runs}
    return [
        {
            "method": points[alarm.point].method,
            "label": points[alarm.point].label + seeds.get(alarm.run or "", ""),
            "name": alarm.name,
            "sentence": alarm.sentence,
        }
        for alarm in alarms
    ]


def failed_runs(study: StudyResults) -> list[dict[str, Any]]:
    """Each failure with its class, the last lines of its log and what to do."""
    return [
        {
            "run": run.run.id,
            "method": run.point.method,
            "label": run.point.label,
            "seed": run.run.seed,
            "stage": failure.stage,
            "log": f"runs/{run.run.id}/logs/{failure.stage}.log",
            "class": failure.failure,
            "message": cut(failure.message)[0],
            "remedy": failure.remedy,
            "last_lines": cut("\n".join(failure.last_lines))[0],
        }
        for run in study.runs
        for failure in run.failures
    ]


def provenance(study: StudyResults, comparison: Comparison) -> dict[str, Any]:
    """Who computed what, with what: plan, objectives, settings, budgets, versions, each run's record."""
    plan, trained = study.plan, [point for point in study.plan.points if point.method != BASE]
    names = setting_names(trained)
    varied = [name for name in names if len({str(point.settings.get(name)) for point in trained}) > 1]
    same = {name: trained[0].settings.get(name) for name in names if name not in varied} if trained else {}
    about = {
        "device": plan.device,
        "seeds": plan.seeds,
        "primary metric": plan.primary_metric,
        "smallest worthwhile effect": plan.smallest_effect,
        "intervals": f"95 %, crossed bootstrap over seeds and prompts, {comparison.draws:,} draws; "
        f"Holm over {len(comparison.family)} points",
        "model": plan.model.model_dump(),
        "generate": plan.generate.model_dump(),
        "tasks": [str(task) for task in plan.tasks],
    }
    return {
        "study": list(facts(about)),
        "objectives": [(point.label, point.objective) for point in plan.points],
        "shared": list(facts(same)),
        "settings": _settings(trained, varied),
        "budget": _budget(study.runs[:MOST_RUNS_IN_FULL]),
        "cross_checks": _cross_checks(comparison),
        "versions": _versions(study.runs),
        "runs": [
            {"id": run.run.id, "status": run.status, "facts": list(_record(run))}
            for run in study.runs[:MOST_RUNS_IN_FULL]
        ],
    }


def facts(value: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """A nested value as name and text, one row per leaf; lists of named things are rows too."""
    for name, item in value.items():
        title = prefix + str(name).replace("_", " ")
        if isinstance(item, Mapping) and prefix and _all_numbers(item):
            yield title, ", ".join(f"{one} {_text(number)}" for one, number in item.items())
        elif isinstance(item, Mapping) and item:
            yield from facts(item, f"{title} · ")
        elif isinstance(item, list) and item and all(isinstance(one, Mapping) and "name" in one for one in item):
            for one in item[:MOST_ITEMS]:
                yield (
                    f"{title} · {one['name']}",
                    ", ".join(f"{k} {_text(v)}" for k, v in one.items() if k != "name"),
                )
        else:
            yield title, _text(item)


def _record(run: RunResults) -> Iterator[tuple[str, str]]:
    own = {k: v for k, v in (run.provenance or {}).items() if k not in ("run", "label", "model", "data")}
    stages: dict[str, Any] = {
        "circumstances": own,
        "training": run.train and run.train.model_dump(exclude={"run", "history", "versions"}),
        "merging": run.merge and run.merge.model_dump(exclude={"run", "probes", "rendered", "versions"}),
        "serving": run.throughput
        and run.throughput.model_dump(exclude={"run", "passes", "versions", "server_environment"}),
        "evaluation": run.evaluation and run.evaluation.model_dump(exclude={"run", "pairs", "versions"}),
        "drift": run.drifted.record and run.drifted.record.model_dump(exclude={"run", "versions"}),
    }
    rows = list(facts({name: record for name, record in stages.items() if record}))
    yield from rows[:MOST_FACTS] or [("records", "none yet")]


def _settings(points: Sequence[Point], varied: Sequence[str]) -> Table:
    rows = [
        {
            "name": point.label,
            "method": point.method,
            "cells": [_text(point.settings[name]) if name in point.settings else "–" for name in varied],
        }
        for point in points
    ]
    heads = ["point", *(name.replace("_", " ") for name in varied)]
    return table("Settings in which the points differ", heads, rows if varied else [])


def _budget(runs: Iterable[RunResults]) -> Table:
    rows = [
        {
            "name": f"{run.point.label} · seed {run.run.seed}",
            "method": run.point.method,
            "cells": [
                f"{run.train.steps:,}",
                f"{run.train.sequences:,}",
                "n/a" if run.train.tokens is None else f"{run.train.tokens:,}",
                _text(run.losses[0]) if run.losses else "n/a",
                _text(run.losses[-1]) if run.losses else "n/a",
                _text(run.train.adapter_norm),
                _text(run.merge.parity_max_abs_logit_difference) if run.merge else "n/a",
                _text(run.merge.change_max_abs_logit_difference) if run.merge else "n/a",
            ],
        }
        for run in runs
        if run.train
    ]
    heads = ["run", "steps", "sequences", "tokens", "first loss", "final loss", "adapter norm"]
    return table("What each run was trained with and what became of it", [*heads, "merge error", "change"], rows)


def _cross_checks(comparison: Comparison) -> Table:
    """The primary metric's differences by the bootstrap, which verdicts use, and by what they do not use."""
    measured = [
        (point, point.metrics.get(comparison.primary_metric)) for point in comparison.points[:MOST_RUNS_IN_FULL]
    ]
    unit = unit_in_cells(comparison.unit)
    rows = [
        {
            "name": point.label,
            "method": point.method,
            "cells": [
                amount(found.difference.standard_error, unit),
                "n/a" if found.two_way_standard_error is None else amount(found.two_way_standard_error, unit),
                probability(found.difference.p_value),
                "n/a" if found.mcnemar_p_value is None else probability(found.mcnemar_p_value),
            ],
        }
        for point, found in measured
        if found and found.difference
    ]
    heads = ["point", "standard error", "two-way cluster-robust", "p, not adjusted", "McNemar's exact p"]
    title = f"Differences to base by other means, which no verdict uses{unit_of_table(comparison.unit)}"
    return table(title, heads, rows)


def _versions(runs: Iterable[RunResults]) -> Facts:
    """Package versions per stage; more than one set is said, not hidden."""
    found: dict[str, dict[str, None]] = {stage: {} for stage in ("train", "merge", "throughput", "evaluation")}
    for run in runs:
        for stage in found:
            record = getattr(run, stage)
            if record is not None:
                listed = " · ".join(f"{name} {version}" for name, version in sorted(record.versions.items()))
                found[stage][listed] = None
    return [(stage, "  —  or, in other runs:  ".join(sets)) for stage, sets in found.items() if sets]


def table(caption: str, heads: list[str], rows: list[dict[str, Any]]) -> Table:
    """A table as the template takes it."""
    return {"caption": caption, "heads": heads, "rows": rows}


def _text(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list):
        shown = " ".join(_text(item) for item in value) if _is_command(value) else _listed(value)
        return cut(shown)[0]
    return cut(str(value))[0]


def _all_numbers(value: Mapping[str, Any]) -> bool:
    return bool(value) and all(isinstance(item, int | float) for item in value.values())


def _is_command(value: list[Any]) -> bool:
    return any(isinstance(item, str) and item.startswith("--") for item in value)


def _listed(value: list[Any]) -> str:
    more = f" and {len(value) - MOST_ITEMS} more" if len(value) > MOST_ITEMS else ""
    return ", ".join(_text(item) for item in value[:MOST_ITEMS]) + more
