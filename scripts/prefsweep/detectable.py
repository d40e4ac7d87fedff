"""The smallest difference a planned study would detect: worth knowing before money is spent on it.

Normal quantiles of the standard library: loading scipy would cost every command a second.
"""

import csv
import math
from pathlib import Path
from statistics import NormalDist, median

from prefsweep.checking import DatasetCounts
from prefsweep.metrics import METRICS
from prefsweep.plan import Detectable, Plan
from prefsweep.study import StudyConfig
from prefsweep.wording import amount, count

DISCORDANT_SHARE = 0.2
"""Of the prompts, those on which a trained model and its base differ in a rate, where nothing is known yet."""
DECISIVE_SHARE = 0.6
"""Of the prompts, those on which a judge prefers one of the two answers; each moves a win rate by 1/2 at most."""
SEED_DEVIATION = 0.02
"""Of a rate's true value between seeds, for the second figure."""
_ALPHA = 0.05
_POWER = 0.8


def planned_detectable(config: StudyConfig, points: int, counts: DatasetCounts | None, results: Path) -> Detectable:
    """What the comparison of so many points with the base would detect with 80 % probability, after Holm's correction.

    Learnt from the standard errors in the `comparison.csv` that the study may have below `results`. Before there is
    one, a rate is assumed to differ on 20 % of the prompts, a judge to prefer an answer on 60 %, and of other metrics
    nothing is known.
    """
    metric, seeds = METRICS[config.primary_metric], len(config.seeds)
    prompts = counts.heldout_clusters // 2 if counts else None
    errors = _standard_errors(results / config.study / "report" / "comparison.csv", metric.name)
    if errors:
        return Detectable(prompts=prompts, basis="finished runs", effect=detectable_effect(median(errors), points))
    if not metric.rate or not prompts:
        return Detectable(prompts=prompts)
    variance = DECISIVE_SHARE / 4 if metric.needs_judge else DISCORDANT_SHARE
    alike, apart = (
        detectable_effect(math.sqrt(variance / prompts + deviation**2 / seeds), points)
        for deviation in (0.0, SEED_DEVIATION)
    )
    return Detectable(
        prompts=prompts, basis="assumption", effect=alike, effect_of_seeds_apart=apart if seeds > 1 else None
    )


def detectable_effect(standard_error: float, points: int) -> float:
    """(z[1 - alpha / (2 points)] + z[power]) × SE (Bloom 1995); a little more with few seeds (docs/statistics.md)."""
    normal = NormalDist()
    return (normal.inv_cdf(1 - _ALPHA / (2 * points)) + normal.inv_cdf(_POWER)) * standard_error


def detectable_text(plan: Plan) -> str:
    """One line for those who read the plan."""
    found, metric = plan.detectable, METRICS[plan.primary_metric]
    unit = metric.unit
    prompts = "an unknown number of test prompts" if found.prompts is None else count(found.prompts, "test prompt")
    study = f"{count(len(plan.points) - 1, 'point')}, {count(len(plan.seeds), 'seed')}, {prompts}"
    if found.effect is None:
        return f"smallest detectable difference unknown before runs of this study have finished ({study})"
    told = f"smallest detectable difference about {amount(found.effect, unit)} with 80 % power ({study})"
    if found.basis == "finished runs":
        told += ", by the study's last report"
    elif metric.needs_judge:
        told += f", where the judge prefers one answer on {DECISIVE_SHARE * 100:g} % of the prompts"
    else:
        told += f", where answers differ from the base's on {DISCORDANT_SHARE * 100:g} % of the prompts"
    if found.effect_of_seeds_apart is not None:
        apart, deviation = (amount(value, unit) for value in (found.effect_of_seeds_apart, SEED_DEVIATION))
        told += f" and seeds agree; {apart} where they differ by {deviation} (standard deviation)"
    if found.effect > plan.smallest_effect > 0:
        told += f"; more than the smallest worthwhile effect, {amount(plan.smallest_effect, unit)}"
    return told


def _standard_errors(table: Path, metric: str) -> list[float]:
    """Of the differences to the base in that metric; none without a report."""
    if not table.is_file():
        return []
    with table.open(encoding="utf-8", newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("metric") == metric]
    return [float(error) for row in rows if (error := row.get("difference_standard_error")) and float(error) > 0]
