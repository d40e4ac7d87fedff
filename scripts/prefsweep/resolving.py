"""How many more prompts, or how many more seeds, would make an effect detectable, given what has been measured."""

import math

from scipy import optimize

from prefsweep.statistics import ALPHA, POWER, Interval, effect_with_power, median_unbiased

_MOST_PROMPTS = 1e6
"""Times those that there are: what would not be resolved by so many is not by any."""
_MOST_SEEDS = 100


def prompts_to_resolve(
    interval: Interval, prompts: int, effect: float, alpha: float = ALPHA, power: float = POWER
) -> int | None:
    """How many prompts would make `effect` detectable, given the interval that `prompts` of them gave.

    The seeds' part of the standard error stays as it is; None when it alone is too large, and when nothing
    varies.
    """
    if interval.standard_error == 0 or effect <= 0:
        return None
    like = median_unbiased(interval)

    def lacking(log: float) -> float:
        return effect_with_power(_with_prompts(like, math.exp(log)), alpha, power) - effect

    least, most = math.log(2 / interval.clusters), math.log(_MOST_PROMPTS)
    if lacking(most) > 0:
        return None
    factor = math.exp(optimize.brentq(lacking, least, most)) if lacking(least) > 0 else math.exp(least)
    return math.ceil(prompts * factor)


def seeds_to_resolve(interval: Interval, effect: float, alpha: float = ALPHA, power: float = POWER) -> int | None:
    """How many seeds, on the same prompts, would make `effect` detectable, given the interval that there is.

    What comes from the prompts stays as it is; None when it alone is too large, when more than 100 seeds would be
    needed, and of one seed, which does not tell how much seeds differ.
    """
    if interval.seeds < 2 or effect <= 0:
        return None
    like, more = median_unbiased(interval), range(interval.seeds + 1, _MOST_SEEDS + 1)
    return next((n for n in more if effect_with_power(_with_seeds(like, n), alpha, power) <= effect), None)


def _with_prompts(interval: Interval, factor: float) -> Interval:
    """The same noise seen with `factor` times the prompts: all of it shrinks but what seeds differ in themselves."""
    lasting = min((interval.seed_standard_error / interval.standard_error) ** 2, interval.seed_share)
    left = lasting + (1 - lasting) / factor
    return interval.model_copy(
        update={
            "standard_error": interval.standard_error * math.sqrt(left),
            "seed_share": (lasting + (interval.seed_share - lasting) / factor) / left,
            "clusters": max(round(interval.clusters * factor), 2),
        }
    )


def _with_seeds(interval: Interval, seeds: int) -> Interval:
    """The same noise seen with so many seeds: only the part that is known from seeds shrinks."""
    by_seeds = interval.seed_share * interval.seeds / seeds
    left = 1 - interval.seed_share + by_seeds
    error = interval.standard_error * math.sqrt(left)
    return interval.model_copy(update={"standard_error": error, "seed_share": by_seeds / left, "seeds": seeds})
