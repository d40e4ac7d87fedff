"""The same differences by other means, for a sceptic to hold beside the bootstrap. No verdict uses them."""

import math

import numpy as np
import numpy.typing as npt
from scipy import stats

from prefsweep.statistics import Array


def two_way_standard_error(differences: Array, clusters: npt.NDArray[np.int64]) -> float | None:
    """Standard error of the mean of `differences`, shape (seeds, prompts), robust to clusters of seeds and of prompts.

    Cameron, Gelbach and Miller (2011): the variance clustered by prompts, plus that by seeds, minus that by both, each
    with its small-sample factor G / (G - 1). With one seed that of prompts alone. None where the three do not add up
    to a variance, as can happen with few seeds.
    """
    seeds, prompts = differences.shape
    _, members = np.unique(clusters, return_inverse=True)
    cells = np.array([np.bincount(members, row) for row in differences - differences.mean()])
    variance = _variance(cells.sum(axis=0))
    if seeds > 1:
        variance += _variance(cells.sum(axis=1)) - _variance(cells.ravel())
    return math.sqrt(variance) / (seeds * prompts) if variance >= 0 else None


def _variance(sums: Array) -> float:
    """Of the sum of all residuals, from their sums by group."""
    return float((sums**2).sum()) * sums.size / (sums.size - 1)


def mcnemar_p_value(differences: Array, clusters: npt.NDArray[np.int64]) -> float | None:
    """McNemar's (1947) exact test, for a rate of one seed: are prompts won as often as lost?

    None with several seeds, and with prompts that share a cluster, whose outcomes are not independent.
    """
    if len(differences) != 1 or np.unique(clusters).size < clusters.size:
        return None
    won, lost = int((differences > 0).sum()), int((differences < 0).sum())
    return float(stats.binomtest(won, won + lost).pvalue) if won + lost else 1.0
