"""Rules that pick the chosen answer of a pair without any model: what a comparison has to beat to mean something."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import regex

from prefsweep import style
from prefsweep.records.data import HeldOutPrompt, Pair
from prefsweep.records.traits import BaselineAccuracy
from prefsweep.splitting import normalised_prompt

LEARNT_ON = 2000
"""Training pairs, those with the smallest ids, in which the majority rule looks up each feature's direction."""
EXPLOITABLE = 0.65
"""Share of held-out pairs a rule without a model may get right before the reader is told."""

_MARKUP = regex.compile(
    r"^[ \t]*(?:\#{1,6}[ ]|[-*+•][ ]|\d+[.)][ ]|>[ ]|\||```)|\*\*[^*\n]+\*\*|`[^`\n]+`|\[[^]\n]+\]\(|</?[a-z]+[^>\n]*>",
    regex.MULTILINE,
)

Wins = npt.NDArray[np.float64]
"""Per pair 1 where a rule picks the chosen answer, 0 where it picks the other, a tie one half."""


@dataclass(frozen=True)
class Feature:
    """A number that an answer has beside its prompt; either end of it can be the rule."""

    more: str
    less: str
    """The two rules by name."""
    measure: Callable[[str, str], float]
    """Prompt and answer → value."""

    def wins(self, pairs: Sequence[Pair | HeldOutPrompt]) -> Wins:
        """Where the answer with more of it is the chosen one."""
        return np.array([self._win(pair) for pair in pairs])

    def _win(self, pair: Pair | HeldOutPrompt) -> float:
        prompt = normalised_prompt(pair.messages)
        chosen, rejected = (self.measure(prompt, answer or "") for answer in (pair.chosen, pair.rejected))
        return 0.5 if chosen == rejected else float(chosen > rejected)


def characters(prompt: str, answer: str) -> float:
    """Length of the answer."""
    return len(answer)


def emoji(prompt: str, answer: str) -> float:
    """Emoji in the answer."""
    return 0 if answer.isascii() else style.emoji_count(answer)


def markup(prompt: str, answer: str) -> float:
    """Marks of formatting: headings, list items, quotes, table rows, bold, code, links, tags."""
    return len(_MARKUP.findall(answer))


def likeness(prompt: str, answer: str) -> float:
    """Shared distinct words of prompt and answer / all distinct words of both (Jaccard)."""
    asked, said = set(style.words(prompt)), set(style.words(answer))
    return len(asked & said) / max(len(asked | said), 1)


FEATURES = (
    Feature("the longer answer", "the shorter answer", characters),
    Feature("more emoji", "fewer emoji", emoji),
    Feature("more markup", "less markup", markup),
    Feature("more like the prompt", "less like the prompt", likeness),
)

MAJORITY = "majority of these, as in training"


def baseline_accuracies(
    training: Sequence[Pair], heldout: Sequence[HeldOutPrompt], test_clusters: set[str]
) -> list[BaselineAccuracy]:
    """Every rule's accuracy on the held-out pairs, the best first; empty when what is held out are no pairs.

    The majority rule lets every feature vote for the end that wins more often in training; it needs training pairs.
    """
    if any(prompt.chosen is None or prompt.rejected is None for prompt in heldout):
        return []
    tested = np.array([prompt.cluster in test_clusters for prompt in heldout])
    wins = {feature: feature.wins(heldout) for feature in FEATURES}
    rules = dict(chain.from_iterable(((f.more, won), (f.less, 1 - won)) for f, won in wins.items()))
    sample = sorted(training, key=lambda pair: pair.id)[:LEARNT_ON]
    if sample:
        votes = sum(np.sign(f.wins(sample).mean() - 0.5) * (won - 0.5) for f, won in wins.items())
        rules[MAJORITY] = (np.sign(votes) + 1) / 2
    found = [
        BaselineAccuracy(rule=rule, heldout=round(float(won.mean()), 4), test=round(float(won[tested].mean()), 4))
        for rule, won in rules.items()
    ]
    return sorted(found, key=lambda baseline: -baseline.heldout)


def exploitable_rule(baselines: Sequence[BaselineAccuracy]) -> str | None:
    """A notice when the best rule, which is the first, gets so much right that a method could learn that alone."""
    if not baselines or baselines[0].heldout <= EXPLOITABLE:
        return None
    best = baselines[0]
    return f"“{best.rule}” alone picks the chosen answer of {100 * best.heldout:.0f} % of the held-out pairs"
