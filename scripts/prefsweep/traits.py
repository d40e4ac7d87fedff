"""What a method could pick up from a prepared data set without understanding it, and what it shares with tasks."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from prefsweep.balance import balance_text, is_published, label_balance
from prefsweep.baselines import baseline_accuracies, exploitable_rule
from prefsweep.benchmarks import compared_with_prepared
from prefsweep.languages import UNDETERMINED, language
from prefsweep.prepared import heldout_prompts, prepared_rows
from prefsweep.records.data import LabelledRow, Pair
from prefsweep.records.traits import DataTraits, LabelWeights, Languages

SAMPLED_ROWS = 1000
"""Training rows whose language is identified, which takes about a millisecond a text."""


def traits_of(data_directory: Path, tasks: Sequence[str], root: Path, weights: Iterable[LabelWeights]) -> DataTraits:
    """Measure the rows that were prepared, and hold them against tasks and against how methods weigh labels.

    `tasks` are task files or lm-eval's names, `root` is where paths of their documents start. Raises StageError of
    class `data` when the rows have changed since, `config` when a task's documents cannot be read.
    """
    pairs = [Pair.model_validate(row) for row in prepared_rows(data_directory, "pairs.jsonl")]
    labelled = [LabelledRow.model_validate(row) for row in prepared_rows(data_directory, "labelled.jsonl")]
    heldout = [prompt for prompt in heldout_prompts(data_directory) if prompt.part == "heldout"]
    test = {prompt.cluster for prompt in heldout if prompt.half == "test"}
    labels = Counter(row.desirable for row in labelled)
    traits = DataTraits(
        languages=_languages_of_pairs(pairs) if pairs else _languages_of_labelled(labelled),
        baselines=baseline_accuracies(pairs, heldout, test),
        benchmarks=compared_with_prepared(pairs, [] if pairs else labelled, tasks, root),
        balances=[] if pairs else [label_balance(weighed, labels) for weighed in weights],
        notices=[],
    )
    return traits.model_copy(update={"notices": list(_notices(traits))})


def _notices(traits: DataTraits) -> Iterator[str]:
    if rule := exploitable_rule(traits.baselines):
        yield rule
    if traits.benchmarks.overlaps:
        yield f"{traits.benchmarks.overlaps:,} benchmark documents share 13 words with rows that are trained on"
    yield from (balance_text(balance) for balance in traits.balances if not is_published(balance))
    chosen, rejected = (_commonest(found) for found in (traits.languages.chosen, traits.languages.rejected))
    if UNDETERMINED not in (chosen, rejected) and chosen != rejected:
        yield f"chosen answers are mostly in {chosen}, rejected ones in {rejected}: the language alone can be learnt"


def _languages_of_pairs(pairs: list[Pair]) -> Languages:
    sample = sorted(pairs, key=lambda pair: pair.id)[:SAMPLED_ROWS]
    return Languages(
        sampled_rows=len(sample),
        prompts=_by_language(pair.messages[-1]["content"] for pair in sample),
        chosen=_by_language(pair.chosen for pair in sample),
        rejected=_by_language(pair.rejected for pair in sample),
    )


def _languages_of_labelled(rows: list[LabelledRow]) -> Languages:
    sample = sorted(rows, key=lambda row: row.id)[:SAMPLED_ROWS]
    return Languages(
        sampled_rows=len(sample),
        prompts=_by_language(row.messages[-1]["content"] for row in sample),
        chosen=_by_language(row.answer for row in sample if row.desirable),
        rejected=_by_language(row.answer for row in sample if not row.desirable),
    )


def _by_language(texts: Iterable[str]) -> dict[str, int]:
    """The commonest first; languages of equal counts by name."""
    counts = Counter(map(language, texts))
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _commonest(languages: Mapping[str, int]) -> str:
    return next((code for code in languages if code != UNDETERMINED), UNDETERMINED)
