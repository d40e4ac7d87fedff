"""Held-out prompts that training would give away: the same prompt, thirteen shared words, or almost the same text.

And held-out prompts that give each other away, which count as one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from prefsweep.entries import Entry
from prefsweep.near_duplicates import groups, near
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


def joined_clusters(training: Iterable[Entry], heldout: Iterable[Entry]) -> dict[str, str]:
    """Cluster of a held-out prompt → of the one it nearly repeats, the smallest of its group: they are no two samples.

    More than ten prompts that are alike, or some like a training prompt that was no leak, are of a template.
    """
    trained, reserved = _by_cluster(training), _by_cluster(heldout)
    names = list(reserved)
    prompts = _prompts(list(reserved.values()))
    alike: dict[int, list[int]] = {}
    for index, leader in enumerate(groups(prompts)):
        alike.setdefault(leader, []).append(index)
    several = [members for members in alike.values() if 1 < len(members) <= COMMON_NGRAM]
    texts = [prompts[index] for members in several for index in members]
    known = near(texts, _prompts(list(trained.values())), most=0) if texts else {}
    templates = {texts[index] for index in known}
    found: dict[str, str] = {}
    for first, *others in several:
        if templates.isdisjoint(prompts[index] for index in (first, *others)):
            found |= {names[index]: names[first] for index in others}
    return found


def _by_cluster(entries: Iterable[Entry]) -> dict[str, Entry]:
    """The first row of each prompt, in the order of the prompts' hashes: independent of the order of rows."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.cluster, entry)
    return dict(sorted(first.items()))


def _prompts(entries: Sequence[Entry]) -> list[str]:
    return [normalised_prompt(entry.example.messages) for entry in entries]
