"""Whether the length-controlled win rate is what it says: a judge who likes length, real effects, and both at once.

Each study is drawn, given to `compare` and held against the truth, as in benchmarks/statistics.py. A judge's verdict on
a prompt follows P(win) = expit(θ + φ · tanh(Δ / sd)) exactly, so that the win rate at equal length is expit(θ).
"""

import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat

import numpy as np
from scipy.special import expit
from scipy.stats import norm

from benchmarks.record import record
from benchmarks.statistics import PROMPTS, planned
from prefsweep.comparison import compare
from prefsweep.metrics import WIN_RATE
from prefsweep.plan import Plan
from prefsweep.planned_judge import PlannedJudge
from prefsweep.score_table import ScoreTable
from prefsweep.settings import JudgeConfig
from prefsweep.statistics import Array

STUDIES = 250
SEEDS = (1, 3)
LONGER, SPREAD = 80.0, 100.0
"""Characters that an answer is longer than the base's: mean and standard deviation."""
DEVIATION = 0.1
"""Standard deviation of θ between seeds: 2.5 percentage points of an even win rate."""
JUDGE = PlannedJudge(
    settings=JudgeConfig(url="http://127.0.0.1:9/v1", model="simulated"),
    template="none",
    template_sha256="0" * 64,
    estimate=None,
)


@dataclass(frozen=True)
class Effect:
    """What a method does to its win rate, in logits."""

    name: str
    theta: float
    """By answering better."""
    phi: float
    """By answering at greater length."""


EFFECTS = (Effect("length_alone", 0.0, 2.0), Effect("quality_alone", 0.6, 0.0), Effect("both", 0.6, 1.0))


@dataclass(frozen=True)
class Outcome:
    """What one study's comparison said of each effect, in the order of EFFECTS."""

    plain: tuple[float, ...]
    controlled: tuple[float, ...]
    covered: tuple[bool, ...]
    """The interval holds the win rate at equal length; with one seed, its checkpoint's."""
    claimed: bool
    """The interval of length alone does not hold one half."""


def main() -> None:
    figures: dict[str, float] = {}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for seeds in SEEDS:
            found = list(pool.map(one_study, repeat(seeds), range(STUDIES), chunksize=10))
            figures |= {f"{name}_{seeds}_seeds": figure for name, figure in summary(found, seeds).items()}
    coverages = [figure for name, figure in figures.items() if name.startswith("interval_coverage")]
    record("length_control", {"interval_coverage": min(coverages), "studies_per_world": STUDIES} | figures)


def summary(found: list[Outcome], seeds: int) -> dict[str, float]:
    """Means over studies; shares of studies."""
    figures: dict[str, float] = {}
    for index, effect in enumerate(EFFECTS):
        figures |= {
            f"plain_win_rate_of_{effect.name}": float(np.mean([study.plain[index] for study in found])),
            f"length_controlled_win_rate_of_{effect.name}": float(
                np.mean([study.controlled[index] for study in found])
            ),
            f"true_win_rate_of_{effect.name}": marginal(effect.theta),
            f"interval_coverage_of_{effect.name}": float(np.mean([study.covered[index] for study in found])),
        }
    if seeds > 1:
        figures["false_claims_of_length_alone"] = float(np.mean([study.claimed for study in found]))
    return figures


def marginal(theta: float) -> float:
    """The win rate at equal length of a method whose seeds differ by DEVIATION."""
    return float(expit(theta + DEVIATION * norm.ppf((np.arange(1_000) + 0.5) / 1_000)).mean())


def one_study(seeds: int, number: int) -> Outcome:
    generator = np.random.default_rng([seeds, number])
    plan = planned(seeds, 0.0).model_copy(update={"judge": JUDGE, "primary_metric": WIN_RATE})
    scores, truths = drawn(plan, generator)
    points = compare(plan, scores, [], {}).points[1:]
    fits = [point.length_controlled for point in points]
    assert all(fits)
    known = [fit for fit in fits if fit]
    return Outcome(
        plain=tuple(point.metrics[WIN_RATE].mean.estimate for point in points),
        controlled=tuple(fit.win_rate for fit in known),
        covered=tuple(fit.low <= truth <= fit.high for fit, truth in zip(known, truths, strict=True)),
        claimed=not known[0].low <= 0.5 <= known[0].high,
    )


def drawn(plan: Plan, generator: np.random.Generator) -> tuple[dict[str, ScoreTable], list[float]]:
    """Scores by run, and the win rate at equal length that each method's interval should hold."""
    scores = {}
    truths = []
    for run in plan.runs_by_point[plan.points[0].id]:
        scores[run.id] = scored(run.id, np.zeros(PROMPTS), np.full(PROMPTS, 0.5))
    for point, effect in zip(plan.points[1:], EFFECTS, strict=True):
        runs = plan.runs_by_point[point.id]
        thetas = effect.theta + generator.normal(0, DEVIATION, len(runs))
        common = generator.normal(size=(2, PROMPTS))
        for run, theta in zip(runs, thetas, strict=True):
            lengths = LONGER + SPREAD * np.sqrt(0.5) * (common[0] + generator.normal(size=PROMPTS))
            chance = expit(theta + effect.phi * np.tanh(lengths / SPREAD))
            scores[run.id] = scored(run.id, lengths, verdicts(chance, common[1], generator))
        truths.append(marginal(effect.theta) if len(runs) > 1 else float(expit(thetas[0])))
    return scores, truths


def verdicts(chance: Array, common: Array, generator: np.random.Generator) -> Array:
    """1, ½ or 0: the mean of both orders' wins, each with this chance; half of their variance is the prompt's."""
    own = np.sqrt(0.5) * common + np.sqrt(0.3) * generator.normal(size=PROMPTS)
    orders = own + np.sqrt(0.2) * generator.normal(size=(2, PROMPTS))
    return (norm.cdf(orders) < chance).mean(axis=0)


def scored(run: str, lengths: Array, rates: Array) -> ScoreTable:
    """Every prompt on the test half; lengths count from the base's."""
    names = tuple(f"p{number}" for number in range(PROMPTS))
    return ScoreTable(
        run=run,
        prompts=names,
        clusters=names,
        parts=("heldout",) * PROMPTS,
        halves=("test",) * PROMPTS,
        metrics=("characters", WIN_RATE),
        values=np.stack([lengths, rates]),
    )


if __name__ == "__main__":
    main()
