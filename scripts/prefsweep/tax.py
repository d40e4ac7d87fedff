"""The alignment tax: what lm-eval's tasks say of each point against the untouched model, document by document.

Tasks on the study's own held-out rows are left out: these rows are what training was for.
"""

from collections.abc import Iterable, Mapping

import numpy as np

from prefsweep.metrics import Metric
from prefsweep.pairing import HalfPrompts, MetricComparison, compare_metrics
from prefsweep.plan import BASE, Plan
from prefsweep.records.base import Record
from prefsweep.records.measure import Evaluation, TaskConditions, TaskDocuments
from prefsweep.statistics import ALPHA, Array, holm

_UNITS = {
    "bits_per_byte": "bits per byte",
    "bits_per_word": "bits per word",
    "bits_per_answer": "bits per answer",
}

_Way = tuple[str, TaskConditions]
"""A task and how it was run: runs of one way alone can be compared."""
_ByPoint = dict[str, dict[int, TaskDocuments]]
"""Point → seed → documents."""


class TaskTax(Record):
    """One metric of one lm-eval task, of the base and of every point. `prompts` are the task's documents here."""

    task: str
    conditions: TaskConditions
    metric: Metric
    points: dict[str, MetricComparison]
    """By point, the base's among them. A point without results is absent."""
    p_adjusted: dict[str, float]
    """Holm-adjusted over every task, metric and point of the section."""


def alignment_tax(plan: Plan, evaluations: Mapping[str, Evaluation], family: list[str]) -> list[TaskTax]:
    """Every metric of every task, in the order in which lm-eval gave them.

    `evaluations` are the finished runs', by run id; `family` are the points whose differences are tested. Points are
    paired with the base by document and seed; a document that one of them lacks, or has with another content, is left
    out and counted. What was measured in another way, as before a study was changed, is a task of its own. The
    detectable effect is the one at Holm's strictest level over the whole section.
    """
    tasks: dict[_Way, _ByPoint] = {}
    for run in plan.runs:
        documents = evaluations[run.id].documents if run.id in evaluations else {}
        for task, found in documents.items():
            if not found.heldout:
                tasks.setdefault((task, found.conditions), {}).setdefault(run.point, {})[run.seed] = found
    metrics = {way: _metrics(_every(found)) for way, found in tasks.items()}
    tests = len(family) * sum(map(len, metrics.values()))
    rows = [row for way, found in tasks.items() for row in _of_task(plan, way, found, metrics[way], tests)]
    return _adjusted(rows, family)


def _every(found: _ByPoint) -> list[TaskDocuments]:
    return [documents for runs in found.values() for documents in runs.values()]


def _metrics(found: Iterable[TaskDocuments]) -> list[Metric]:
    """Those that any run has, with the direction that lm-eval gives them."""
    values: dict[str, set[float]] = {}
    better: dict[str, bool] = {}
    for documents in found:
        better |= documents.higher_is_better
        for name, column in documents.values.items():
            values.setdefault(name, set()).update(value for value in column if value is not None)
    return [
        Metric(
            name=name,
            unit=_UNITS.get(name) or ("share" if all(0 <= value <= 1 for value in seen) else ""),
            direction="neutral" if name not in better else "higher" if better[name] else "lower",
            description="",
            source="lm-eval",
            rate=seen <= {0.0, 1.0},
        )
        for name, seen in values.items()
    ]


def _of_task(plan: Plan, way: _Way, found: _ByPoint, metrics: list[Metric], tests: int) -> list[TaskTax]:
    keys = list(dict.fromkeys(key for documents in _every(found) for key in _keys(documents)))
    contents = {content: number for number, content in enumerate(dict.fromkeys(content for _, content in keys))}
    documents = HalfPrompts(
        ids=tuple(place for place, _ in keys), clusters=np.array([contents[content] for _, content in keys])
    )
    tables = {point: {seed: _table(one, keys, metrics) for seed, one in runs.items()} for point, runs in found.items()}
    base = next((tables[point.id] for point in plan.points if point.method == BASE and point.id in tables), {})
    alphas = {metric.name: ALPHA / max(tests, 1) for metric in metrics}
    compared = {
        point.id: compare_metrics(tables[point.id], {} if point.method == BASE else base, documents, metrics, alphas)
        for point in plan.points
        if point.id in tables
    }
    return [
        TaskTax(
            task=way[0],
            conditions=way[1],
            metric=metric,
            points={point: rows[metric.name] for point, rows in compared.items() if metric.name in rows},
            p_adjusted={},
        )
        for metric in metrics
    ]


def _keys(documents: TaskDocuments) -> list[tuple[str, str]]:
    return list(zip(documents.ids, documents.contents, strict=True))


def _table(documents: TaskDocuments, keys: list[tuple[str, str]], metrics: list[Metric]) -> Array:
    """One run's values, shape (metrics, documents), NaN where it has none."""
    places = {key: place for place, key in enumerate(_keys(documents))}
    table = np.full((len(metrics), len(keys)), np.nan)
    for row, metric in enumerate(metrics):
        values = documents.values.get(metric.name)
        for column, key in enumerate(keys):
            if values and key in places and (value := values[places[key]]) is not None:
                table[row, column] = value
    return table


def _adjusted(rows: list[TaskTax], family: list[str]) -> list[TaskTax]:
    """Holm over the section; a point without a difference stays in it with p = 1."""
    tests = [(number, point) for number in range(len(rows)) for point in family]
    found = [rows[number].points.get(point) for number, point in tests]
    p_values = [one.difference.p_value if one and one.difference else None for one in found]
    adjusted = holm([1.0 if p is None else p for p in p_values])
    known = {test: q for test, p, q in zip(tests, p_values, adjusted, strict=True) if p is not None}
    return [
        row.model_copy(
            update={"p_adjusted": {point: known[number, point] for point in family if (number, point) in known}}
        )
        for number, row in enumerate(rows)
    ]
