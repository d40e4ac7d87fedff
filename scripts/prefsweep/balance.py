"""Desirable against undesirable rows: how methods weigh them, and whether that fits the rows there are."""

from collections.abc import Iterable, Mapping

from prefsweep.methods import Method
from prefsweep.plan import Point
from prefsweep.records.traits import LabelBalance, LabelWeights


def label_weights(points: Iterable[Point], methods: Mapping[str, Method]) -> list[LabelWeights]:
    """Every distinct way in which these points weigh labels, in their order."""
    found: dict[LabelWeights, None] = {}
    for point in points:
        if point.method in methods and (balance := methods[point.method].balance):
            weights = LabelWeights(
                method=point.method,
                desirable=point.settings[balance.desirable],
                undesirable=point.settings[balance.undesirable],
                published=balance.published,
                source=balance.source,
            )
            found[weights] = None
    return list(found)


def label_balance(weights: LabelWeights, labels: Mapping[bool, int]) -> LabelBalance:
    """The weighted ratio, λ_D·n_D / (λ_U·n_U), of `labels`, the rows of each kind."""
    ratio = weights.desirable * labels[True] / (weights.undesirable * labels[False])
    return LabelBalance(weights=weights, desirable_rows=labels[True], undesirable_rows=labels[False], ratio=ratio)


def is_published(balance: LabelBalance) -> bool:
    """Whether the ratio is in the range its source recommends."""
    low, high = balance.weights.published
    return low <= balance.ratio <= high


def balance_text(balance: LabelBalance) -> str:
    """The ratio, the rows it is of, and where it should be."""
    weights, (low, high) = balance.weights, balance.weights.published
    rows = f"{balance.desirable_rows:,} desirable and {balance.undesirable_rows:,} undesirable rows"
    place = "inside" if is_published(balance) else "outside"
    return (
        f"{weights.method}: λ_D·n_D / (λ_U·n_U) is {balance.ratio:.3g} with {rows}, {place} the published "
        f"{low:g}–{high:.3g} ({weights.source})."
    )
