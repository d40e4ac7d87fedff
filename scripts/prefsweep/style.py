"""How an answer reads, as numbers: emoji, length, repetition. Pure functions from text to value."""

import emoji
import regex

_WORD = regex.compile(r"\p{Han}|[\p{L}\p{N}--\p{Han}][\p{L}\p{M}\p{N}'’\-_--\p{Han}]*", regex.VERSION1)
_TOKEN = regex.compile(rf"{_WORD.pattern}|\p{{Extended_Pictographic}}|\p{{Regional_Indicator}}", regex.VERSION1)
_PIECE = regex.compile(rf"(?:{_WORD.pattern}|\X)\s*", regex.VERSION1)
_TEXT_SYMBOLS = frozenset("©®™")


def emoji_count(text: str) -> int:
    """Emoji as a reader counts them: a ZWJ family, a flag, a skin tone or a keycap is one; © is none."""
    return sum(found["emoji"] not in _TEXT_SYMBOLS for found in emoji.emoji_list(text))


def words(text: str) -> list[str]:
    """Lower-case words; every Han character is a word of its own, punctuation and emoji are none."""
    return [match.lower() for match in _WORD.findall(text)]


def pieces(text: str) -> list[str]:
    """The whole text in order: each word, or else each character as readers see it, and the white space behind it."""
    return _PIECE.findall(text)


def repetition(text: str, n: int = 4) -> float:
    """Share of n-grams that occurred before in the same text: 1 − distinct / all, in [0, 1).

    This is seq-rep-n of Welleck et al. 2019 (arXiv 1908.04319) over words and emoji, since small models loop
    on either. A text of fewer than n of them repeats nothing: 0.
    """
    tokens = [match.lower() for match in _TOKEN.findall(text)]
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0
