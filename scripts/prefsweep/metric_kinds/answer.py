"""One answer beside its prompt and the run's other answers: what metrics of answers look at."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import regex

from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.style import words

_SENTENCE_END = regex.compile(r"[.!?。！？…\n]+")


@dataclass(frozen=True)
class Answer:
    """What a model answered to a held-out prompt."""

    prompt: HeldOutPrompt
    generation: Generation
    opening: str
    """The words of its first sentence; empty without words."""
    begun_alike: int
    """How many of the run's prompts, copies of a prompt counted once, have an answer with this opening."""

    @property
    def text(self) -> str:
        return self.generation.answer


def answers_of(prompts: Iterable[HeldOutPrompt], generations: Mapping[str, Generation]) -> dict[str, Answer]:
    """A run's answers by prompt id; `generations` has one of every prompt."""
    openings = {prompt.id: opening(generations[prompt.id].answer) for prompt in prompts}
    clusters: dict[str, set[str]] = {}
    for prompt in prompts:
        clusters.setdefault(openings[prompt.id], set()).add(prompt.cluster)
    return {
        prompt.id: Answer(
            prompt, generations[prompt.id], openings[prompt.id], begun_alike=len(clusters[openings[prompt.id]])
        )
        for prompt in prompts
    }


def opening(text: str) -> str:
    """The words of the first sentence that has any, lower case."""
    sentences = (words(sentence) for sentence in _SENTENCE_END.split(text))
    return " ".join(next((sentence for sentence in sentences if sentence), []))
