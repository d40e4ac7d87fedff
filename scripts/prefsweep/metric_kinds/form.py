"""How long an answer is, whether it ends, and how much of it is the same again."""

from prefsweep import style
from prefsweep.metric import Kind
from prefsweep.metric_kinds.answer import Answer

FORM = Kind[Answer, float]()

DIVERSITY_WINDOW = 20
"""Words. Vocabulary grows slower than length, so that answers are compared over windows of one length. Short ones: few
answers of a small model are shorter, and those that are look more diverse than they would be at this length."""


@FORM.metric("characters", "neutral", "Unicode")
def characters(answer: Answer) -> int:
    """Length of the answer in Unicode code points."""
    return len(answer.text)


@FORM.metric("words", "neutral", "Unicode word characters")
def words(answer: Answer) -> int:
    """Length of the answer in words; every Han character is one."""
    return len(style.words(answer.text))


@FORM.metric("tokens", "neutral", "the server's usage.completion_tokens")
def output_tokens(answer: Answer) -> int:
    """Length of the answer in the model's tokens."""
    return answer.generation.output_tokens


@FORM.metric("share", "lower", "finish_reason = length", rate=True)
def truncated(answer: Answer) -> bool:
    """The answer hit the token limit instead of ending by itself."""
    return answer.generation.finish_reason == "length"


@FORM.metric("share", "lower", "Unicode white space", rate=True)
def empty(answer: Answer) -> bool:
    """The answer is nothing, or white space alone."""
    return not answer.text.strip()


@FORM.metric("share", "lower", "seq-rep-4 (arXiv 1908.04319)")
def repetition(answer: Answer) -> float:
    """Share of 4-grams of words and emoji that occurred before in the same answer."""
    return style.repetition(answer.text)


@FORM.metric("share", "lower", "first sentences by their words, over all prompts of the run", rate=True)
def same_opening(answer: Answer) -> bool:
    """The answer begins with the same sentence as the answer to another prompt: a set phrase."""
    return bool(answer.opening) and answer.begun_alike > 1


@FORM.metric("share", "neutral", "moving-average type–token ratio (Covington and McFall 2010)")
def lexical_diversity(answer: Answer) -> float | None:
    """Different words / words, mean over every 20 words in a row; a shorter answer is taken whole, one without words
    has none.
    """
    found = style.words(answer.text)
    width = min(DIVERSITY_WINDOW, len(found))
    windows = [found[i : i + width] for i in range(len(found) - width + 1)]
    return sum(len(set(window)) for window in windows) / (len(windows) * width) if found else None
