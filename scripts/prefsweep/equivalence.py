"""When two models may be called equivalent: the difference was shown to be smaller than what is worthwhile."""

import math

from prefsweep.statistics import Interval, least_p_value


def equivalence_p_value(difference: Interval, margin: float, *, rate: bool) -> float | None:
    """Two one-sided tests (Schuirmann 1987) of the hypothesis that the true difference is at least ±`margin`.

    The larger of their p-values, from the difference's own standard error and quantiles, and like its p-value never
    below what a sign-flip test over the clusters can give. Under that hypothesis at least a share `margin` of the
    prompts differs, so for a rate the variance is at least margin × (1 − margin) / clusters: prompts that all agree
    do not make few of them certain. None where there is no margin or nothing varies.
    """
    if margin <= 0:
        return None
    variance = difference.standard_error**2
    if rate and margin < 1:
        variance = max(variance, margin * (1 - margin) / difference.clusters)
    if variance == 0:
        return None
    nearer = margin - abs(difference.estimate)
    return max(difference.tail(nearer / math.sqrt(variance)), least_p_value(difference.clusters))
