"""How an answer is written: what a data set may teach on purpose or by accident."""

from collections.abc import Iterable

import regex

from prefsweep.languages import UNDETERMINED, language
from prefsweep.metric import Kind
from prefsweep.metric_kinds.answer import Answer
from prefsweep.records.data import HeldOutPrompt
from prefsweep.refusals import refuses
from prefsweep.style import emoji_count

STYLE = Kind[Answer, float]()

_LIST_ITEM = regex.compile(r"^[ \t]*(?:[-*+•][ \t]+|\d{1,3}(?:[.)][ \t]+|、))\S", regex.MULTILINE)
_MARKDOWN = regex.compile(
    r"^\#{1,6}[ ]\S | \*\*\S(?:.*?\S)?\*\* | ^``` | `[^`\n]+` | \[[^\]\n]+\]\([^)\s]+\) | ^\|.+\|[ \t]*$",
    regex.MULTILINE | regex.VERBOSE,
)


@STYLE.metric("emoji", "neutral", "Unicode emoji sequences (UTS 51), package emoji")
def emoji(answer: Answer) -> int:
    """Emoji in the answer; a joined sequence or a flag is one."""
    return emoji_count(answer.text)


@STYLE.metric("marks", "neutral", "U+0021 and its full-width form U+FF01")
def exclamation_marks(answer: Answer) -> int:
    """Exclamation marks in the answer."""
    return _occurrences("!！", answer.text)


@STYLE.metric("marks", "neutral", "U+003F and its full-width form U+FF1F")
def question_marks(answer: Answer) -> int:
    """Question marks in the answer: how much it asks back."""
    return _occurrences("?？", answer.text)


@STYLE.metric("items", "neutral", "CommonMark list markers, • and the Chinese 1、")
def list_items(answer: Answer) -> int:
    """Lines that begin as an item of a list, with a bullet or a number."""
    return len(_LIST_ITEM.findall(answer.text))


@STYLE.metric("share", "neutral", "CommonMark 0.31; tables as in GitHub's", rate=True)
def markdown(answer: Answer) -> bool:
    """The answer has a Markdown heading, bold text, code, a link or a table; lists are counted apart."""
    return _MARKDOWN.search(answer.text) is not None


@STYLE.metric(
    "share",
    "neutral",
    "phrases in English and Chinese, scripts/prefsweep/refusals.py, after arXiv 2307.15043 and 2308.01263",
    rate=True,
)
def refusal(answer: Answer) -> bool:
    """The answer begins by declining to answer. Right or wrong depends on the question: read them."""
    return refuses(answer.text)


@STYLE.metric("share", "higher", "py3langid at confidence >= 0.5", rate=True)
def same_language(answer: Answer) -> bool | None:
    """The answer was not identified as another language than the chosen answer's (without one, the prompt's); an
    answer too short to tell counts as the same.
    """
    expected = _reference_language(answer.prompt)
    return None if expected == UNDETERMINED else language(answer.text) in (expected, UNDETERMINED)


def _occurrences(marks: Iterable[str], text: str) -> int:
    return sum(text.count(mark) for mark in marks)


def _reference_language(prompt: HeldOutPrompt) -> str:
    """The language to answer in: the chosen answer's; if that is absent or too short, the question's."""
    question = prompt.messages[-1]["content"]
    texts = [prompt.chosen, question] if prompt.chosen else [question]
    found = (language(text) for text in texts if text)
    return next((code for code in found if code != UNDETERMINED), UNDETERMINED)
