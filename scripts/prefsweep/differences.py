"""Where an answer differs from another one to the same prompt, word by word."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from prefsweep.style import pieces

Kind = Literal["kept", "new", "gone"]
Segment = tuple[Kind, str]

FEWEST_IN_A_ROW = 3
"""Words or marks that agree amid others. Fewer agree by chance, and would leave a rewritten answer mottled."""

MOST_CHANGED = 0.8
"""Of both texts. Beyond it an answer is another one, and nothing is gained by marking nearly all of it."""


@dataclass(frozen=True)
class Difference:
    """What became of a text."""

    share: float
    """Of the words and marks of both texts, those that are not in the other one in the same order; 0: the same."""
    segments: tuple[Segment, ...]
    """In reading order. Without those that are gone they are the new text; beyond `MOST_CHANGED` it is one, kept."""


class Reference:
    """A text that others are compared with."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._pieces = pieces(text)
        self._matcher = SequenceMatcher[str]()
        self._matcher.set_seq2(_words(self._pieces))

    def against(self, text: str) -> Difference:
        """What is new in `text`, and what is gone. White space does not count."""
        if text == self._text:
            return Difference(share=0.0, segments=(("kept", text),))
        found = pieces(text)
        blocks = list(self._blocks(found))
        kept = sum(size for _, _, size in blocks)
        share = 1 - 2 * kept / (len(found) + len(self._pieces))
        if share > MOST_CHANGED:
            return Difference(share=share, segments=(("kept", text),))
        segments = self._segments(found, blocks)
        return Difference(share=share, segments=tuple(segment for segment in segments if segment[1]))

    def _blocks(self, found: list[str]) -> Iterator[tuple[int, int, int]]:
        """Where both agree: place in `found`, place in the reference, length."""
        self._matcher.set_seq1(_words(found))
        for here, there, size in self._matcher.get_matching_blocks():
            first = here == there == 0
            last = here + size == len(found) and there + size == len(self._pieces)
            if size and (first or last or size >= FEWEST_IN_A_ROW):
                yield here, there, size

    def _segments(self, found: list[str], blocks: list[tuple[int, int, int]]) -> Iterator[Segment]:
        place = gone = 0
        for here, there, size in [*blocks, (len(found), len(self._pieces), 0)]:
            yield "gone", "".join(self._pieces[gone:there]).strip()
            new = "".join(found[place:here])
            yield "new", new.rstrip()
            yield "kept", new[len(new.rstrip()) :] + "".join(found[here : here + size])
            place, gone = here + size, there + size


def _words(found: list[str]) -> list[str]:
    return [piece.rstrip() for piece in found]
