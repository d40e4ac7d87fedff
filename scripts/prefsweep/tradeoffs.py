"""The Pareto front in words: which points nothing beats, what beats the others, and what that rests on."""

from prefsweep.comparison import Comparison
from prefsweep.leaderboard import ranked, title_of
from prefsweep.pareto import Front
from prefsweep.wording import count, joined

MOST_NAMED = 8


def front_sentences(comparison: Comparison, front: Front) -> list[str]:
    """Best points first; nothing where there is nothing to compare."""
    if len(front.values) < 2:
        return []
    labels = {point.point: point.label for point in ranked(comparison) if point.point in front.values}
    best = [label for point, label in labels.items() if front.beaten_by[point] is None]
    beaten = [
        f"{label} (by {labels[dominator]})"
        for point, label in labels.items()
        if (dominator := front.beaten_by[point]) is not None
    ]
    what = [title_of(comparison.primary_metric), *(cost.title for cost in front.objectives[1:])]
    sentences = [
        f"Not dominated: {_named(best)}. "
        f"No other point is at least as good in {joined(what)}, and better in one of them."
    ]
    if len(beaten) > MOST_NAMED:
        sentences.append(f"The other {len(beaten):,} are dominated; comparison.csv says by which.")
    elif beaten:
        sentences.append(f"Dominated: {joined(beaten)}.")
    sentences.append("This goes by the means alone: where intervals overlap, other seeds or prompts may change it.")
    if front.left_out:
        sentences.append(f"{count(len(front.left_out), 'point')} without one of these values left out.")
    return sentences


def _named(labels: list[str]) -> str:
    if len(labels) <= MOST_NAMED:
        return joined(labels)
    return f"{', '.join(labels[:MOST_NAMED])} and {len(labels) - MOST_NAMED:,} more"
