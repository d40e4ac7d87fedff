"""Numbers in sentences: shares as per cent and percentage points, signs, counts, p-values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes a second to load, which whoever only checks a study should not wait for
    from prefsweep.statistics import Interval


def count(number: int, noun: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def sample_text(prompts: int, difference: Interval) -> str:
    """`30 prompts and 1 seed`."""
    return f"{count(prompts, 'prompt')} and {count(difference.seeds, 'seed')}"


def difference_text(difference: Interval, unit: str) -> str:
    """A difference with its interval, the unit once: `+5.1 pp (95 % interval +1.2 to +9.0)`."""
    return f"{signed(difference.estimate, unit)} (95 % interval {range_text(difference, unit)})"


def range_text(difference: Interval, unit: str) -> str:
    """A difference's interval beside what tells its unit: `+1.2 to +9.0`."""
    low, high = (signed(value, unit).removesuffix(_suffix(unit)) for value in (difference.low, difference.high))
    return f"{low} to {high}"


def estimate_text(mean: Interval, unit: str) -> str:
    """A mean with its interval, the unit once: `61.3 % (58.1 to 64.4)`."""
    low, high = (_plain(value, unit == "share") for value in (mean.low, mean.high))
    return f"{value_text(mean.estimate, unit)} ({low} to {high})"


def unit_in_cells(unit: str) -> str:
    """What a number of a table is told in: a share with its short sign, any other unit once for the table."""
    return unit if unit == "share" else ""


def unit_of_table(unit: str) -> str:
    """The end of a table's caption: `, nats per character`; nothing where each cell has its sign."""
    return f", {unit}" if unit_in_cells(unit) != unit else ""


def value_text(value: float, unit: str) -> str:
    """A mean in its unit: shares as per cent."""
    return f"{100 * value:.1f} %" if unit == "share" else f"{_plain(value)}{_suffix(unit)}"


def amount(value: float, unit: str) -> str:
    """The size of a difference in its unit: shares as percentage points, else three significant digits."""
    return f"{_plain(abs(value), unit == 'share')}{_suffix(unit)}"


def signed(value: float, unit: str) -> str:
    """A difference with its sign."""
    return f"{'−' if value < 0 else '+'}{amount(value, unit)}"


def probability(p: float | None) -> str:
    """A p-value as people write it."""
    return "unknown" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def joined(names: Sequence[str]) -> str:
    """`a, b and c`."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _suffix(unit: str) -> str:
    return " pp" if unit == "share" else f" {unit}" if unit else ""


def _plain(value: float, share: bool = False) -> str:
    """With the sign for minus that is as wide as a plus."""
    if share:
        return f"{100 * value:.1f}"
    digits = 2 if value == 0 else min(max(0, 2 - math.floor(math.log10(abs(value)))), 6)
    return f"{value:,.{digits}f}".replace("-", "−")
