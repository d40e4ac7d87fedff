"""Where names go in a chart, so that none covers another: around the points of a scatter, or beside lines' ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

_HEIGHT = 13
_PER_CHARACTER = 6.2
_GAP = 8
_PLACES = (("left", -7), ("right", -7), ("left", 13), ("right", 13))
"""Alignment of the text and its vertical shift, in the order of preference. Text aligned left is right of its point."""


@dataclass(frozen=True)
class Place:
    """How a name stands beside its point, in Vega's terms: `align`, `dx` and `dy` in pixels."""

    align: str
    dx: int
    dy: int


def label_places(points: Sequence[tuple[float, float, str]], width: float) -> list[Place]:
    """A place for each (x, y, name) in pixels, first come first served; where all are taken, one inside `width`."""
    taken = [(x - 6, y - 6, x + 6, y + 6) for x, y, _ in points]
    found = []
    for x, y, name in points:
        boxes = {
            Place(align, _GAP if align == "left" else -_GAP, dy): _box(x, y + dy, name, align) for align, dy in _PLACES
        }
        inside = [place for place, box in boxes.items() if box[0] >= 0 and box[2] <= width] or list(boxes)
        place = next((one for one in inside if not any(_touch(boxes[one], other) for other in taken)), inside[0])
        taken.append(boxes[place])
        found.append(place)
    return found


def apart(heights: Sequence[float]) -> list[float]:
    """Heights of names one below the other, in pixels, moved no further than it takes for none to cover another."""
    groups: list[list[int]] = []
    for place in sorted(range(len(heights)), key=lambda place: heights[place]):
        groups.append([place])
        while len(groups) > 1 and _top(groups[-1], heights) < _top(groups[-2], heights) + _HEIGHT * len(groups[-2]):
            groups[-2:] = [groups[-2] + groups[-1]]
    moved = {place: _top(group, heights) + _HEIGHT * number for group in groups for number, place in enumerate(group)}
    return [moved[place] for place in range(len(heights))]


def _top(group: Sequence[int], heights: Sequence[float]) -> float:
    """Of the first name of a group that stands close together, around the mean of its heights."""
    return fmean(heights[place] for place in group) - _HEIGHT * (len(group) - 1) / 2


def _box(x: float, baseline: float, name: str, align: str) -> tuple[float, float, float, float]:
    length = _PER_CHARACTER * len(name)
    left = x + _GAP if align == "left" else x - _GAP - length
    return left, baseline - _HEIGHT + 3, left + length, baseline + 3


def _touch(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
