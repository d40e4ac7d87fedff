"""Which prompts are held out, and in which half: decided from content alone, by prompt and never by row.

Rows that share a prompt stay on one side, so that no method is tested on what it trained on, and the same
file is split the same way on every machine, in any row order.
"""

import hashlib
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeVar

from prefsweep.failures import StageError
from prefsweep.files import sha256_of_json
from prefsweep.formats import Example, Turn
from prefsweep.records.data import Half

Cluster = TypeVar("Cluster", str, int)
"""A cluster's 12 hexadecimal digits, or the number they are: both sort alike."""
NGRAM_WORDS = 13
COMMON_NGRAM = 10
"""A 13-gram in more training prompts than this is a template, not a leak (Brown et al. 2020, appendix C)."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
"""Alphabets whose words no space divides: Thai and Lao, Burmese, Khmer; their words have about four characters."""
_WORD = re.compile(rf"[{_CJK}]|[{_UNSPACED}]|[^\W{_CJK}{_UNSPACED}]+")
_UNSPACED_CHARACTER = re.compile(f"[{_UNSPACED}]")
_CHARACTERS_A_WORD = 4


def normalised_prompt(messages: list[Turn]) -> str:
    """A prompt without system turns, differences of case, width and white space, and closing punctuation."""
    text = normalised("\n".join([turn["content"] for turn in messages if turn["role"] != "system"]))
    return text.rstrip(".!?…。 ") or text


def normalised(text: str) -> str:
    """A text without differences of case, width and white space."""
    text = unicodedata.normalize("NFKC", text).casefold().strip()
    if "  " in text or not text.isprintable():  # the only white space that is printable is the space
        text = " ".join(text.split())
    return text


def cluster_of(messages: list[Turn]) -> str:
    """12 hexadecimal digits that prompts share when they are the same after normalisation."""
    return hashlib.sha256(normalised_prompt(messages).encode()).hexdigest()[:12]


def row_ids(examples: Iterable[Example]) -> Iterator[tuple[str, bool]]:
    """Each row's id, 12 hexadecimal digits of its content, and whether an earlier row has the same content.

    A repeated row counts its occurrence in, so that ids are unique.
    """
    seen: dict[str, int] = {}
    for row in examples:
        content = sha256_of_json([row.messages, row.answer, row.rejected, row.desirable])[:12]
        occurrence = seen.get(content, 0)
        seen[content] = occurrence + 1
        yield (sha256_of_json([content, occurrence])[:12] if occurrence else content), occurrence > 0


def held_out_clusters(clusters: Collection[Cluster], fraction: float) -> set[Cluster]:
    """The share of distinct clusters to hold out: at least two, one for each half.

    Raises StageError when fewer than three distinct prompts leave nothing to train on.
    """
    ordered = sorted(set(clusters))
    count = max(2, round(fraction * len(ordered)))
    if count >= len(ordered):
        what = f"{len(ordered)} distinct prompts cannot be split into training and two held-out halves"
        raise StageError("data", what, "Add rows with other prompts, or lower heldout_fraction.")
    return set(ordered[:count])


def halves_of(clusters: Collection[str]) -> dict[str, Half]:
    """Each held-out cluster's half; their numbers differ by one at most."""
    ordered = sorted(set(clusters), key=lambda cluster: sha256_of_json(["half", cluster]))
    return {cluster: "test" if index % 2 else "development" for index, cluster in enumerate(ordered)}


def overlapping(training: Sequence[str], heldout: Sequence[str]) -> dict[int, int]:
    """Held-out texts, prompts above all, that share 13 successive words with a training text.

    Takes distinct normalised texts; gives the index of the held-out one → that of the first training one.
    Han and kana count as one word per character, four characters of Thai, Lao, Burmese or Khmer as one. 13-grams in
    more than ten training texts are ignored.
    """
    holders: dict[int, list[int]] = {}
    for index, text in enumerate(heldout):
        for gram in _ngrams(text):
            holders.setdefault(gram, []).append(index)
    found: dict[int, list[int]] = {}
    for index, text in enumerate(training):
        for gram in _ngrams(text):
            if gram in holders:
                found.setdefault(gram, []).append(index)
    overlaps: dict[int, int] = {}
    for gram, prompts in found.items():
        if len(prompts) <= COMMON_NGRAM:
            for index in holders[gram]:
                overlaps[index] = min(prompts[0], overlaps.get(index, prompts[0]))
    return overlaps


def _ngrams(text: str) -> set[int]:
    """Hashes of all runs of 13 words."""
    words = _WORD.findall(text)
    if _UNSPACED_CHARACTER.search(text):
        return {hash(tuple(words[start:end])) for start, end in _runs(words)}
    return {hash(tuple(words[i : i + NGRAM_WORDS])) for i in range(len(words) - NGRAM_WORDS + 1)}


def _runs(words: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the runs of 13 words start and end in a text some of whose `words` are characters of longer ones."""
    reached = [0]
    for word in words:
        reached.append(reached[-1] + (1 if _UNSPACED_CHARACTER.match(word) else _CHARACTERS_A_WORD))
    for start, before in enumerate(reached):
        end = bisect_left(reached, before + NGRAM_WORDS * _CHARACTERS_A_WORD)
        if end < len(reached):
            yield start, end
