"""`data.json`: what came in, what was kept and why, and what a method could exploit in it."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy

from prefsweep.chat import ChatTokenizer
from prefsweep.data_files import source_revision
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import Entries, Entry
from prefsweep.formats import Content
from prefsweep.records.base import FileHash, Record
from prefsweep.records.data import Half
from prefsweep.selection import OVERLAPPING, REPEATED, TOO_LONG, Selection

LENGTH_BIAS = 0.15
"""How far from one half the longer-answer baseline may be before the reader is told."""


class Lengths(Record):
    """Of a set of texts, in characters or tokens."""

    mean: float
    p50: float
    p95: float
    longest: int


class AnswerLengths(Record):
    """Chosen against rejected answers, for labelled rows desirable against undesirable ones.

    A method that learns to write longer answers wins where the chosen ones are longer, whatever they say.
    """

    chosen_characters: Lengths
    rejected_characters: Lengths
    chosen_tokens: Lengths
    rejected_tokens: Lengths


class HalfCount(Record):
    """One half of the held-out pairs."""

    rows: int
    prompts: int


class Leakage(Record):
    """What was looked for between training and held-out prompts; `data.json` exists only if none is left."""

    same_prompt: int
    """Held-out rows whose prompt, normalised, is a training prompt."""
    shared_13_grams: int
    """Held-out rows removed because 13 successive words of their prompt are in a training prompt."""
    showcase_in_training: int
    """Shown prompts that some method trained on; they are shown, not scored."""


class DataAudit(Record):
    """`data.json`: the account of one prepared data set."""

    name: str
    source: str
    revision: str
    licence: str | None
    synthetic: bool
    content: Content
    formats: list[str]
    """What each file was read as."""
    dropped: dict[str, int]
    """Reason → rows left out on reading because the data set says so, held-out ones included; before `*_rows_in`."""
    max_length: int
    """Tokens of prompt and answer through the chat template; longer rows are dropped for every method."""
    training_rows_in: int
    """Rows read that were not held out."""
    training_rows: int
    training_dropped: dict[str, int]
    """Reason → rows."""
    training_prompts: int
    training_repeated_rows: int
    """Rows whose exact content occurs earlier; they are kept."""
    desirable_rows: int
    undesirable_rows: int
    heldout_rows_in: int
    heldout_rows: int
    heldout_dropped: dict[str, int]
    halves: dict[Half, HalfCount]
    showcase_prompts: int
    leakage: Leakage
    training_lengths: AnswerLengths
    heldout_lengths: AnswerLengths
    longer_answer_accuracy: float
    """Share of held-out pairs whose chosen answer has more characters, ties counted half: preference accuracy
    that needs no model."""
    longest_row_tokens: int
    files: list[FileHash]
    tokenizer_sha256: str
    chat_template_sha256: str
    notices: list[str]


def audited(
    spec: DatasetSpec,
    entries: Entries,
    selection: Selection,
    halves: Mapping[str, Half],
    chat: ChatTokenizer,
    row_tokens: Mapping[str, int],
    max_length: int,
    files: list[FileHash],
) -> DataAudit:
    """The account of a prepared data set; `halves` by cluster, `row_tokens` by row id."""
    training, heldout = selection.training, selection.heldout
    desirable = sum(entry.example.desirable is not False for entry in training.entries)
    undesirable = sum(entry.example.desirable is not True for entry in training.entries)
    audit = DataAudit(
        name=spec.name,
        source=spec.described_source,
        revision=source_revision(spec),
        licence=spec.licence,
        synthetic=spec.synthetic,
        content=entries.content,
        formats=entries.explanations,
        dropped=entries.dropped,
        max_length=max_length,
        training_rows_in=training.rows_in,
        training_rows=len(training.entries),
        training_dropped=dict(training.dropped),
        training_prompts=len(training.clusters),
        training_repeated_rows=sum(entry.repeated for entry in training.entries),
        desirable_rows=desirable,
        undesirable_rows=undesirable,
        heldout_rows_in=heldout.rows_in,
        heldout_rows=len(heldout.entries),
        heldout_dropped=dict(heldout.dropped),
        halves=_half_counts(heldout.entries, halves),
        showcase_prompts=len(entries.showcase),
        leakage=Leakage(
            same_prompt=len(training.clusters & heldout.clusters),
            shared_13_grams=heldout.dropped[OVERLAPPING],
            showcase_in_training=sum(entry.cluster in training.clusters for entry in entries.showcase),
        ),
        training_lengths=_answer_lengths(training.entries, chat),
        heldout_lengths=_answer_lengths(heldout.entries, chat),
        longer_answer_accuracy=longer_answer_accuracy(heldout.entries),
        longest_row_tokens=max(row_tokens[entry.id] for entry in training.entries),
        files=files,
        tokenizer_sha256=chat.tokenizer_sha256,
        chat_template_sha256=chat.chat_template_sha256,
        notices=[],
    )
    return audit.model_copy(update={"notices": list(_notices(audit))})


def _notices(audit: DataAudit) -> Iterator[str]:
    """What a reader should know before trusting a comparison on this data."""
    limit = f"{audit.max_length} tokens"
    same_prompt = audit.heldout_rows - sum(count.prompts for count in audit.halves.values())
    for rows, text in (
        (audit.training_repeated_rows, "training rows repeat an earlier row exactly; they were kept"),
        (audit.heldout_dropped.get(REPEATED, 0), "held-out rows repeat an earlier row; they were dropped"),
        (same_prompt, "held-out rows share the prompt of another; statistics count prompts"),
        (audit.training_dropped.get(TOO_LONG, 0), f"training rows exceed {limit}; no method sees them"),
        (audit.heldout_dropped.get(TOO_LONG, 0), f"held-out rows exceed {limit}; they were dropped"),
        (audit.leakage.shared_13_grams, f"held-out rows: {OVERLAPPING}; they were dropped"),
        (audit.leakage.showcase_in_training, "shown prompts occur in training"),
    ):
        if rows:
            yield f"{rows:,} {text}"
    for reason, rows in audit.dropped.items():
        yield f"{rows:,} rows dropped on reading: {reason}"
    bias = audit.longer_answer_accuracy
    if abs(bias - 0.5) > LENGTH_BIAS:
        longer = "longer" if bias > 0.5 else "shorter"
        share = max(bias, 1 - bias)
        yield f"the chosen answer is the {longer} one in {share:.0%} of held-out pairs: length alone can win"


def _answer_lengths(entries: Sequence[Entry], chat: ChatTokenizer) -> AnswerLengths:
    chosen: list[str] = []
    rejected: list[str] = []
    for entry in entries:
        row = entry.example
        (rejected if row.desirable is False else chosen).append(row.answer or "")
        if row.rejected is not None:
            rejected.append(row.rejected)
    return AnswerLengths(
        chosen_characters=_lengths(map(len, chosen)),
        rejected_characters=_lengths(map(len, rejected)),
        chosen_tokens=_lengths(chat.lengths(chosen)),
        rejected_tokens=_lengths(chat.lengths(rejected)),
    )


def longer_answer_accuracy(pairs: Sequence[Entry]) -> float:
    """How often the chosen answer is the longer one, in characters; a tie counts half."""
    differences = [len(pair.example.answer or "") - len(pair.example.rejected or "") for pair in pairs]
    return sum(1.0 if difference > 0 else 0.5 * (difference == 0) for difference in differences) / len(pairs)


def _half_counts(heldout: Sequence[Entry], halves: Mapping[str, Half]) -> dict[Half, HalfCount]:
    rows = Counter(halves[entry.cluster] for entry in heldout)
    prompts = Counter(halves.values())
    both: tuple[Half, Half] = ("development", "test")
    return {half: HalfCount(rows=rows[half], prompts=prompts[half]) for half in both}


def _lengths(values: Iterable[int]) -> Lengths:
    lengths = numpy.fromiter(values, dtype=numpy.int64)
    p50, p95 = numpy.percentile(lengths, [50, 95])
    return Lengths(
        mean=round(float(lengths.mean()), 2),
        p50=float(p50),
        p95=round(float(p95), 2),
        longest=int(lengths.max()),
    )
