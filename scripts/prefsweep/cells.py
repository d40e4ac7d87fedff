"""Numbers of a table's row, or of a point, as the page's cells; what is missing reads `n/a`."""

from prefsweep.comparison import PointComparison
from prefsweep.leaderboard import number
from prefsweep.table import Row


def whole(row: Row, column: str) -> str:
    """A count: `1,234`."""
    value = number(row, column)
    return "n/a" if value is None else f"{value:,.0f}"


def share(row: Row, column: str) -> str:
    """A proportion: `61.3%`."""
    value = number(row, column)
    return "n/a" if value is None else f"{value:.1%}"


def share_range(row: Row, low: str, high: str) -> str:
    """An interval of one: `58.1% to 64.4%`."""
    return "n/a" if number(row, low) is None else f"{share(row, low)} to {share(row, high)}"


def characters_more_than_base(point: PointComparison) -> str:
    """How much longer its answers are, on average: what stands beside every opinion of them."""
    measured = point.metrics.get("characters")
    difference = measured.difference if measured else None
    return "n/a" if difference is None else f"{difference.estimate:+,.0f}".replace("-", "−")
