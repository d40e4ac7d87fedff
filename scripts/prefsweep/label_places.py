"""Where the names of points go in a scatter chart, so that none covers another: right or left, above or below."""

from collections.abc import Sequence
from dataclasses import dataclass

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


def _box(x: float, baseline: float, name: str, align: str) -> tuple[float, float, float, float]:
    length = _PER_CHARACTER * len(name)
    left = x + _GAP if align == "left" else x - _GAP - length
    return left, baseline - _HEIGHT + 3, left + length, baseline + 3


def _touch(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
