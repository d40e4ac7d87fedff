"""Training as the engines logged it, drawn as small panels: one per quantity and method, one line per run."""

from collections.abc import Sequence
from typing import Any

import altair as alt

from prefsweep.charts import Figure, spec_of, value_format
from prefsweep.comparison import Comparison
from prefsweep.leaderboard import ranked, title_of
from prefsweep.records.train import TrainRecord
from prefsweep.results import RunResults, StudyResults

_CURVES = "curves"
MOST_CURVES = 40
"""Of one panel: more lines hide one another. First seeds come before others, and then the best points."""
_MOST_VALUES = 3000
"""Of one panel, over all its lines."""


def training_figures(
    study: StudyResults, comparison: Comparison, colours: dict[str, str]
) -> dict[str, dict[str, Figure | None]]:
    """Loss, rewards and reward accuracy: per quantity a panel per method, in it a line per run.

    Losses and rewards follow each method's own definition: each panel has its own axis; accuracies share one.
    None where a method does not define the quantity. Runs with different numbers of steps are drawn over the
    share of training instead of the step.
    """
    trained = [run for run in study.runs if run.train and run.train.history]
    by_share = len({run.train.steps for run in trained if run.train}) > 1
    place = {point.point: rank for rank, point in enumerate(ranked(comparison))}
    trained.sort(key=lambda run: (study.plan.seeds.index(run.run.seed), place[run.point.id]))
    methods = list(dict.fromkeys(point.method for point in study.plan.points))
    quantities = {
        "loss": "loss",
        "reward margin": "reward_margin",
        "reward of the chosen answers": "chosen_reward",
        "reward accuracy": "reward_accuracy",
    }
    by_method = {name: runs for name in methods if (runs := [run for run in trained if run.point.method == name])}
    figures = {
        title: {name: _curves(name, quantity, runs, colours, by_share) for name, runs in by_method.items()}
        for title, quantity in quantities.items()
    }
    return {title: panels for title, panels in figures.items() if any(panels.values())}


def _curves(
    method: str, quantity: str, runs: Sequence[RunResults], colours: dict[str, str], by_share: bool
) -> Figure | None:
    drawn = runs[:MOST_CURVES]
    most = min(150, _MOST_VALUES // len(drawn))
    curves = [curve for run in drawn if run.train and (curve := _curve(run, run.train, quantity, by_share, most))]
    if not curves:
        return None
    return Figure(
        id=f"training-{quantity.replace('_', '-')}-{method}",
        title=method,
        note=f"{len(drawn)} of {len(runs)} runs: first seeds, best points" if len(drawn) < len(runs) else "",
        description=f"{title_of(quantity)} while training, {len(curves)} {method} runs; last values: "
        + ", ".join(f"{curve['last']:.3g}" for curve in curves[:12]),
        spec=spec_of(_lines(quantity, colours[method], by_share), height=110, width=200, rows={_CURVES: curves}),
        alone=f"{title_of(quantity)} while training with {method}",
    )


def _lines(quantity: str, colour: str, by_share: bool) -> Any:
    hover = alt.selection_point(name="hover", on="pointerover", clear="pointerout", fields=["run"], empty=False)
    accuracy = quantity == "reward_accuracy"
    y_scale = alt.Scale(domain=[0, 1]) if accuracy else alt.Scale(zero=False)
    y_axis = alt.Axis(title=None, tickCount=3, **value_format("share" if accuracy else ""))
    x_axis = alt.Axis(grid=False, tickCount=3, format=".0%" if by_share else "d")
    curves = alt.Chart(alt.NamedData(_CURVES)).transform_flatten(["x", "y"])
    lines = curves.encode(
        x=alt.X("x:Q").title("share of training" if by_share else "step").axis(x_axis),
        y=alt.Y("y:Q").scale(y_scale).axis(y_axis),
        detail="run:N",
    )
    drawn = lines.mark_line(interpolate="linear", color=colour).encode(
        strokeWidth=alt.when(hover).then(alt.value(3)).otherwise(alt.value(1.4)),
        opacity=alt.when(hover).then(alt.value(1)).otherwise(alt.value(0.75)),
    )
    target = lines.mark_line(strokeWidth=12, opacity=0.001).encode(
        tooltip=[alt.Tooltip("run:N"), alt.Tooltip("last:Q", title="last value", format=".4~g")]
    )
    return alt.layer(drawn, target.add_params(hover))


def _curve(run: RunResults, train: TrainRecord, quantity: str, by_share: bool, most: int) -> dict[str, Any] | None:
    """A run's line; None where its method does not define the quantity."""
    values = [(step.step, value) for step in train.history if (value := getattr(step, quantity)) is not None]
    if not values:
        return None
    stride = -(-len(values) // most)
    kept = values[::stride] + (values[-1:] if (len(values) - 1) % stride else [])
    return {
        "run": f"{run.point.label} · seed {run.run.seed}",
        "x": [round(step / train.steps, 4) if by_share else step for step, _ in kept],
        "y": [float(f"{value:.5g}") for _, value in kept],
        "last": float(f"{values[-1][1]:.5g}"),
    }
