"""Differences to the base as horizontal coordinates of the leaderboard's small drawings; zero is always on them."""

import math
from dataclasses import dataclass

from prefsweep.comparison import Comparison

WIDTH = 200
_MARGIN = 10


@dataclass(frozen=True)
class Scale:
    """From the lowest to the highest end of any point's interval; what lies outside is drawn at the edge."""

    low: float
    high: float

    @classmethod
    def of(cls, comparison: Comparison) -> "Scale":
        """The one all rows share."""
        measured = [point.metrics.get(comparison.primary_metric) for point in comparison.points]
        differences = [one.difference for one in measured if one and one.difference]
        ends = [end for one in differences for end in (one.low, one.high) if math.isfinite(end)]
        smallest = comparison.smallest_effect
        low, high = min([*ends, -smallest]), max([*ends, smallest])
        return cls(low, high) if high > low else cls(-1.0, 1.0)

    def x(self, value: float) -> float:
        """Where a difference is drawn, from 0 to `WIDTH`."""
        inside = min(max(value, self.low), self.high)
        share = (inside - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (WIDTH - 2 * _MARGIN), 2)

    def drawing(self, low: float, middle: float, high: float) -> dict[str, float]:
        """An interval."""
        return {"low": self.x(low), "middle": self.x(middle), "high": self.x(high)}

    def band(self, smallest_effect: float) -> dict[str, float] | None:
        """What is smaller than the smallest worthwhile effect, on both sides of zero."""
        start, end = self.x(-smallest_effect), self.x(smallest_effect)
        return {"x": start, "width": round(end - start, 2)} if smallest_effect > 0 else None
