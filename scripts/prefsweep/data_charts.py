"""Two small panels about the data: how long answers are, and rules without a model beside the methods."""

from collections.abc import Mapping
from typing import Any

import altair as alt

from prefsweep.charts import Figure, label_axis, spec_of, value_format
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import ranked
from prefsweep.palette import method_shapes
from prefsweep.plan import BASE
from prefsweep.records.audit import AnswerLengths, DataAudit
from prefsweep.records.traits import BaselineAccuracy, DataTraits

ACCURACIES = ("preference_accuracy", "preference_accuracy_normalised")
RULE = "rule"
_CHOSEN, _REJECTED, _RULE = "#4f8fa8", "#a3a9b3", "#7d8590"
_ROW = 26


def length_figure(audit: DataAudit, heldout_pairs: bool) -> Figure:
    """Tokens of chosen and rejected answers: 5–95 % as a line, the middle half as a bar, the median as a mark."""
    names = ("chosen", "rejected") if audit.content == "pairs" else ("desirable", "undesirable")
    rows = _length_rows("training", audit.training_lengths, names)
    rows += _length_rows("held-out", audit.heldout_lengths, ("chosen", "rejected") if heldout_pairs else names)
    chart = alt.Chart(alt.InlineData(rows))
    y = label_axis(rows)
    axis = alt.Axis(title="tokens", tickCount=5)
    colour = alt.Color("better:N").scale(domain=[True, False], range=[_CHOSEN, _REJECTED]).legend(None)
    tooltip = [alt.Tooltip(f"{name}:Q", title=title, format=",.0f") for name, title in _PERCENTILES.items()]
    layers = (
        chart.mark_rule(strokeWidth=2).encode(x=alt.X("p5:Q").axis(axis), x2="p95:Q", y=y, color=colour),
        chart.mark_bar(height=12, opacity=0.75).encode(
            x=alt.X("p25:Q"), x2="p75:Q", y=y, color=colour, tooltip=tooltip
        ),
        chart.mark_tick(thickness=2.5, height=16).encode(x=alt.X("p50:Q"), y=y, color=colour),
    )
    values = "; ".join(f"{row['label']} {row['p50']:.0f} ({row['p5']:.0f} to {row['p95']:.0f})" for row in rows)
    return Figure(
        id="data-lengths",
        title="Length of answers",
        note="tokens: median, middle half, 5 to 95 %",
        description=f"Tokens per answer, median and 5 to 95 %: {values}",
        spec=spec_of(alt.layer(*layers), height=_ROW * max(len(rows), 1)),
    )


_PERCENTILES = {"p5": "5 %", "p25": "25 %", "p50": "median", "p75": "75 %", "p95": "95 %", "longest": "longest"}


def _length_rows(what: str, lengths: AnswerLengths, names: tuple[str, str]) -> list[dict[str, Any]]:
    kinds = ((names[0], True, lengths.chosen_tokens), (names[1], False, lengths.rejected_tokens))
    return [
        {"label": f"{what}, {name}", "better": better} | {key: getattr(found, key) for key in _PERCENTILES}
        for name, better, found in kinds
        if found is not None
    ]


def better_accuracies(comparison: Comparison) -> dict[str, float]:
    """Point id → the better of its two preference accuracies on the test half, as far as it has one."""
    found = {
        point.point: [point.metrics[name].mean.estimate for name in ACCURACIES if name in point.metrics]
        for point in comparison.points
    }
    return {point: max(values) for point, values in found.items() if values}


def stronger_rules(traits: DataTraits) -> list[BaselineAccuracy]:
    """The rules that are right more often than not on the test half, the best first."""
    return sorted((rule for rule in traits.baselines if rule.test > 0.5), key=lambda rule: -rule.test)


def rule_figure(traits: DataTraits, comparison: Comparison, colours: Mapping[str, str]) -> Figure:
    """Accuracy on the test pairs: rules that need no model, the base, and the best point of each method."""
    accuracies = better_accuracies(comparison)
    rows = [{"label": rule.rule, "kind": RULE, "accuracy": rule.test} for rule in stronger_rules(traits)]
    rows += [
        {"label": point.label, "kind": point.method, "accuracy": accuracies[point.point]}
        for point in ranked(comparison)
        if point.point in accuracies and (point.best_of_method or point.method == BASE)
    ]
    rows.sort(key=lambda row: -float(str(row["accuracy"])))
    shapes = {RULE: "M-1,-.3H1V.3H-1Z"} | method_shapes(colours)
    paint = {RULE: _RULE, **colours}
    chart = alt.Chart(alt.InlineData(rows))
    axis = alt.Axis(title=None, tickCount=5, **value_format("share"))
    x = alt.X("accuracy:Q").scale(domain=[0, 1]).axis(axis)
    points = chart.mark_point(filled=True, size=90, opacity=1).encode(
        x=x, y=label_axis(rows),
        color=alt.Color("kind:N").scale(domain=list(paint), range=list(paint.values())).legend(None),
        shape=alt.Shape("kind:N").scale(domain=list(shapes), range=list(shapes.values())).legend(None),
        tooltip=[alt.Tooltip("label:N", title="picked by"), alt.Tooltip("accuracy:Q", format=".1%")],
    )  # fmt: skip
    half = alt.Chart(alt.InlineData([{"half": 0.5}])).mark_rule(strokeDash=[3, 3], color=_REJECTED)
    values = "; ".join(f"{row['label']} {row['accuracy']:.0%}" for row in rows)
    return Figure(
        id="data-rules",
        title="Rules without a model, and the methods",
        note="share of test pairs whose chosen answer is picked; of a method's two accuracies the better one",
        description=f"Share of test pairs whose chosen answer is picked: {values}",
        spec=spec_of(alt.layer(half.encode(x="half:Q"), points), height=_ROW * max(len(rows), 1)),
    )
