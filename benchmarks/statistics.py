"""Whether the comparison is as sure as it says: studies without an effect, and with one planted, through its own code.

Each world is simulated many times: answers are drawn, scored and given to `compare`, whose verdicts, intervals and
smallest detectable effects are then held against the truth. Nothing of the statistics is written a second time here.
"""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cache
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import norm

from benchmarks.record import record
from prefsweep.comparison import Comparison, Verdict, compare
from prefsweep.plan import BASE, Plan
from prefsweep.score_table import ScoreTable
from prefsweep.statistics import Array
from tests.example_study import Shape, build_study

STUDIES = 1_000
METHODS = ("dpo", "orpo", "simpo")
PROMPTS = 500
SEEDS = (1, 2, 3, 5, 8)
DEVIATIONS = (0.0, 0.01, 0.02, 0.03)
"""Standard deviation of the true accuracy between seeds."""
METRIC = "preference_accuracy"
LATENT_BASE = float(np.cos(np.pi * 0.2))
"""Correlation of two models' hidden scores of a prompt at which their answers differ on 20 % of the prompts."""
LATENT_SEEDS = 0.9
"""The same for two seeds of one method: they differ on 14 %."""
LARGEST_EFFECT = 0.45
"""On an accuracy of one half."""
MARGIN = 0.1
"""What is tested for equivalence where an effect is exactly that large."""


@dataclass(frozen=True)
class World:
    """What a study is drawn from; each prompt is answered right where a hidden score is above zero."""

    seeds: int
    deviation: float
    per_cluster: int = 1
    """Prompts that share their cluster; of the hidden scores of two of them half of the variance is common."""
    copies: int = 1
    """How often each prompt, with its answers, is in the study."""
    effects: tuple[float, ...] = (0.0,) * len(METHODS)
    """On the accuracy of each method."""
    margin: float = 0.0
    """The smallest worthwhile effect. With none, every difference that is found is a claim."""

    @property
    def name(self) -> str:
        kind = f"_clusters_of_{self.per_cluster}" if self.per_cluster > 1 else ""
        return f"{self.seeds}_seeds_{100 * self.deviation:.0f}_pp{kind}"


@dataclass(frozen=True)
class Outcome:
    """What one study's comparison said of each method, in the order of METHODS."""

    verdicts: tuple[Verdict, ...]
    false_claim: bool
    """A method without an effect was called better or worse, or one with an effect of the margin equivalent."""
    covered: tuple[bool, ...]
    """The interval holds the method's true effect; with one seed, its checkpoint's."""
    detectable: float
    """Median over methods."""
    width: float
    """Of the first method's interval."""


def main() -> None:
    worlds = [World(seeds, deviation) for seeds, deviation in product(SEEDS[::-1], DEVIATIONS)]
    worlds.append(World(3, 0.02, per_cluster=5))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        found = dict(zip(worlds, pool.map(world_figures, worlds), strict=True))
    record("statistics", summary(found) | dict(item for figures in found.values() for item in figures.items()))


def summary(found: dict[World, dict[str, float]]) -> dict[str, float]:
    """The worst over worlds. One seed of a method whose seeds differ is apart: its verdicts are labelled."""

    def over(figure: str, worlds: list[World]) -> list[float]:
        return [found[world][f"{figure}_{world.name}"] for world in worlds if f"{figure}_{world.name}" in found[world]]

    labelled = [world for world in found if world.seeds == 1 and world.deviation > 0]
    claimed = [world for world in found if world not in labelled]
    return {
        "false_positive_rate": max(over("false_positive_rate", claimed)),
        "power_at_1_5_mde": min(over("power_at_1_5_mde", claimed)),
        "false_claims_at_the_margin": max(over("false_claims_at_the_margin", claimed)),
        "interval_coverage": min(over("interval_coverage", list(found))),
        "false_positive_rate_of_one_seed_read_as_its_method": max(over("false_positive_rate", labelled)),
        "interval_width_ratio_of_duplicated_prompts": duplicated_width(World(3, 0.02)),
        "studies_per_world": STUDIES,
    }


def world_figures(world: World) -> dict[str, float]:
    """Studies without an effect, with one 1.5 × as large as those can detect, and with effects of the margin."""
    null = simulate(world, STUDIES)
    figures = {
        "false_positive_rate": np.mean([study.false_claim for study in null]),
        "interval_coverage": np.mean([study.covered for study in null]),
        "minimum_detectable_effect": np.median([study.detectable for study in null]),
    }
    effect = 1.5 * float(figures["minimum_detectable_effect"])
    if world.seeds > 1 or world.deviation == 0:
        if effect < LARGEST_EFFECT:
            planted = simulate(replace(world, effects=(effect, 0.0, 0.0)), STUDIES)
            figures["power_at_1_5_mde"] = np.mean([study.verdicts[0] == "better" for study in planted])
        boundary = simulate(replace(world, effects=(MARGIN, -MARGIN, 0.0), margin=MARGIN), STUDIES)
        figures["false_claims_at_the_margin"] = np.mean([study.false_claim for study in boundary])
    return {f"{name}_{world.name}": float(figure) for name, figure in figures.items()}


def duplicated_width(world: World) -> float:
    """How wide an interval is when every prompt is there three times, against once: 1 unless copies count as news."""
    [once] = simulate(world, 1)
    [thrice] = simulate(replace(world, copies=3), 1)
    return thrice.width / once.width


def simulate(world: World, studies: int) -> list[Outcome]:
    generator = np.random.default_rng([world.seeds, round(1e6 * world.deviation), round(1e6 * world.effects[0])])
    return [one_study(world, generator) for _ in range(studies)]


def one_study(world: World, generator: np.random.Generator) -> Outcome:
    right, truths = answers(world, generator)
    plan = planned(world.seeds, world.margin)
    scores = {run.id: scored(world, run.id, right[run.id]) for run in plan.runs}
    return outcome(world, compare(plan, scores, [], {}), truths)


def answers(world: World, generator: np.random.Generator) -> tuple[dict[str, Array], list[float]]:
    """Right (1) or wrong (0), shape (prompts,), by run; and the true effects that intervals should hold."""
    plan = planned(world.seeds, world.margin)
    prompt = np.sqrt(LATENT_BASE) * hidden(world, generator)
    base = prompt + np.sqrt(1 - LATENT_BASE) * hidden(world, generator)
    right = {run.id: (base > 0).astype(float) for run in plan.runs_by_point[plan.points[0].id]}
    truths = []
    drift = world.deviation / norm.pdf(0)
    for point, effect in zip(plan.points[1:], world.effects, strict=True):
        method = prompt + np.sqrt(LATENT_SEEDS - LATENT_BASE) * hidden(world, generator)
        shifts = norm.ppf(0.5 + effect) * np.sqrt(1 + drift**2) + generator.normal(0, drift, world.seeds)
        for run, shift in zip(plan.runs_by_point[point.id], shifts, strict=True):
            own = np.sqrt(1 - LATENT_SEEDS) * hidden(world, generator)
            right[run.id] = (method + own + shift > 0).astype(float)
        truths.append(effect if world.seeds > 1 else float(norm.cdf(shifts[0])) - 0.5)
    return right, truths


def hidden(world: World, generator: np.random.Generator) -> Array:
    """A standard normal number per prompt."""
    own = generator.normal(size=PROMPTS)
    if world.per_cluster == 1:
        return own
    common = np.repeat(generator.normal(size=PROMPTS // world.per_cluster), world.per_cluster)
    return np.sqrt(0.5) * (own + common)


def scored(world: World, run: str, right: Array) -> ScoreTable:
    """Every prompt on the test half: verdicts do not look at the other."""
    prompts = world.copies * PROMPTS
    return ScoreTable(
        run=run,
        prompts=tuple(f"p{number}" for number in range(prompts)),
        clusters=tuple(f"c{number % PROMPTS // world.per_cluster}" for number in range(prompts)),
        parts=("heldout",) * prompts,
        halves=("test",) * prompts,
        metrics=(METRIC,),
        values=np.tile(right, world.copies)[np.newaxis],
    )


@cache
def planned(seeds: int, margin: float) -> Plan:
    """The base, and a point of each method."""
    shape = Shape(methods=METHODS, seeds=tuple(range(seeds)), unfinished=(BASE, *METHODS))
    with TemporaryDirectory() as folder:
        plan = Plan.read(build_study(Path(folder), shape) / "plan.json")
    return plan.model_copy(update={"primary_metric": METRIC, "smallest_effect": margin})


def outcome(world: World, comparison: Comparison, truths: list[float]) -> Outcome:
    points = comparison.points[1:]
    verdicts = tuple(point.verdict for point in points)
    false: dict[bool, set[Verdict]] = {True: {"better", "worse"}, False: {"equivalent"}}
    measured = [point.metrics[METRIC] for point in points]
    intervals = [metric.difference for metric in measured if metric.difference]
    return Outcome(
        verdicts=verdicts,
        false_claim=any(verdict in false[effect == 0] for verdict, effect in zip(verdicts, world.effects, strict=True)),
        covered=tuple(found.low <= truth <= found.high for found, truth in zip(intervals, truths, strict=True)),
        detectable=float(np.median([metric.minimum_detectable_effect or 0.0 for metric in measured])),
        width=intervals[0].high - intervals[0].low,
    )


if __name__ == "__main__":
    main()
