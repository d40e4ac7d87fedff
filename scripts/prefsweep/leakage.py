"""Held-out prompts that training would give away: the same prompt, thirteen shared words, or almost the same text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prefsweep.entries import Entry
from prefsweep.near_duplicates import near
from prefsweep.splitting import COMMON_NGRAM, normalised_prompt, overlapping

SAME = "has the prompt of"
SHARED = "shares 13 words with"
NEAR = "is nearly the prompt of"


@dataclass(frozen=True)
class Leak:
    """A held-out row, a training row, and what they have in common."""

    heldout: Entry
    how: str
    training: Entry

    def __str__(self) -> str:
        return f"{self.heldout.place} {self.how} {self.training.place}"


def find_leaks(training: Iterable[Entry], heldout: Iterable[Entry]) -> list[Leak]:
    """One leak per held-out prompt that is known from training, the strongest kind first.

    What more than ten training prompts have in common with a held-out one is a template, not a leak.
    """
    trained, reserved = _by_cluster(training), _by_cluster(heldout)
    same = [Leak(entry, SAME, trained[name]) for name, entry in reserved.items() if name in trained]
    theirs = list(trained.values())
    ours = [entry for name, entry in reserved.items() if name not in trained]
    prompts, known = _prompts(ours), _prompts(theirs)
    shared = overlapping(known, prompts)
    alike = {
        index: found[0]
        for index, found in near(prompts, known, most=COMMON_NGRAM).items()
        if len(found) <= COMMON_NGRAM and index not in shared
    }
    by_words = [Leak(ours[i], SHARED, theirs[j]) for i, j in sorted(shared.items())]
    return [*same, *by_words, *(Leak(ours[i], NEAR, theirs[j]) for i, j in sorted(alike.items()))]


def _by_cluster(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The first row of each prompt, in the order of the prompts' hashes: independent of the order of rows."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.cluster, entry)
    return dict(sorted(first.items()))


def _prompts(entries: Sequence[Entry]) -> list[str]:
    return [normalised_prompt(entry.example.messages) for entry in entries]
