"""The account of a prepared data set: what came in, what was kept and why, and what a method could exploit in it."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from prefsweep.chat import ChatTokenizer
from prefsweep.data_files import source_revision
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import Entries, Entry
from prefsweep.records.audit import (
    NEARLY_KNOWN,
    OVERLAPPING,
    REPEATED,
    TOO_LONG,
    AnswerLengths,
    DataAudit,
    DuplicateRows,
    HalfCount,
    Leakage,
)
from prefsweep.records.base import FileHash
from prefsweep.records.data import Half
from prefsweep.row_lengths import summarised
from prefsweep.rows import SHOWN
from prefsweep.selection import Selection
from prefsweep.wording import count


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
    lengths = summarised(row_tokens[entry.id] for entry in training.read)
    assert lengths is not None
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
        row_tokens=lengths,
        training_rows_in=len(training.read),
        training_rows=len(training.entries),
        training_dropped=dict(training.dropped),
        training_prompts=len(training.clusters),
        desirable_rows=sum(entry.example.desirable is not False for entry in training.entries),
        undesirable_rows=sum(entry.example.desirable is not True for entry in training.entries),
        heldout_rows_in=len(heldout.read),
        heldout_rows=len(heldout.entries),
        heldout_dropped=dict(heldout.dropped),
        heldout_joined_prompts=len(selection.joined),
        halves=_half_counts(heldout.entries, halves),
        showcase_prompts=len(entries.showcase),
        duplicates=_duplicates(spec, selection),
        leakage=Leakage(
            same_prompt=len(training.clusters & heldout.clusters),
            shared_13_grams=heldout.dropped[OVERLAPPING],
            near_prompts=heldout.dropped[NEARLY_KNOWN],
            showcase_in_training=sum(entry.cluster in training.clusters for entry in entries.showcase),
        ),
        training_lengths=_answer_lengths(training.entries, chat),
        heldout_lengths=_answer_lengths(heldout.entries, chat),
        files=files,
        tokenizer_sha256=chat.tokenizer_sha256,
        chat_template_sha256=chat.chat_template_sha256,
        notices=[],
    )
    return audit.model_copy(update={"notices": list(_notices(audit))})


def _notices(audit: DataAudit) -> Iterator[str]:
    """What a reader should know before trusting a comparison on this data."""
    limit = f"{audit.max_length} tokens"
    prompts = audit.heldout_joined_prompts + sum(half.prompts for half in audit.halves.values())
    same_prompt = audit.heldout_rows - prompts
    fate = "dropped" if audit.duplicates.policy == "drop" else "kept"
    for number, noun, text in (
        (audit.duplicates.exact_rows, "training row", f"repeating an earlier one exactly: {fate}"),
        (audit.duplicates.near_rows, "training row", f"nearly repeating another: {fate}"),
        (audit.heldout_dropped.get(REPEATED, 0), "held-out row", "repeating an earlier one: dropped"),
        (same_prompt, "held-out row", "with the prompt of another; statistics count prompts"),
        (audit.heldout_joined_prompts, "held-out prompt", "nearly repeating another; statistics count both as one"),
        (audit.training_dropped.get(TOO_LONG, 0), "training row", f"longer than {limit}: seen by no method"),
        (audit.heldout_dropped.get(TOO_LONG, 0), "held-out row", f"longer than {limit}: dropped"),
        (audit.leakage.shared_13_grams, "held-out row", f"dropped: {OVERLAPPING}"),
        (audit.leakage.near_prompts, "held-out row", f"dropped: {NEARLY_KNOWN}"),
        (audit.leakage.showcase_in_training, "shown prompt", "also in training"),
    ):
        if number:
            yield f"{count(number, noun)} {text}"
    for reason, rows in audit.dropped.items():
        yield f"{count(rows, 'row')} dropped on reading: {reason}"


def _duplicates(spec: DatasetSpec, selection: Selection) -> DuplicateRows:
    found = selection.duplicates
    places = {entry.id: f"{entry.path.name}:{entry.example.line}" for entry in selection.training.read}
    listed = [f"{places[name]} repeats an earlier row" for name in sorted(found.exact)]
    listed += [f"{places[name]} nearly repeats {places[other]}" for name, other in sorted(found.near.items())]
    exact, near = len(found.exact), len(found.near)
    return DuplicateRows(policy=spec.duplicates, exact_rows=exact, near_rows=near, listed=listed[:SHOWN])


def _answers(entries: Sequence[Entry]) -> tuple[list[str], list[str]]:
    """Chosen and rejected answers; for labelled rows desirable and undesirable ones."""
    chosen: list[str] = []
    rejected: list[str] = []
    for entry in entries:
        row = entry.example
        (rejected if row.desirable is False else chosen).append(row.answer or "")
        if row.rejected is not None:
            rejected.append(row.rejected)
    return chosen, rejected


def _answer_lengths(entries: Sequence[Entry], chat: ChatTokenizer) -> AnswerLengths:
    chosen, rejected = _answers(entries)
    return AnswerLengths(
        chosen_characters=summarised(map(len, chosen)),
        rejected_characters=summarised(map(len, rejected)),
        chosen_tokens=summarised(chat.lengths(chosen)),
        rejected_tokens=summarised(chat.lengths(rejected)),
    )


def _half_counts(heldout: Sequence[Entry], halves: Mapping[str, Half]) -> dict[Half, HalfCount]:
    rows = Counter(halves[entry.cluster] for entry in heldout)
    prompts = Counter(halves.values())
    both: tuple[Half, Half] = ("development", "test")
    return {half: HalfCount(rows=rows[half], prompts=prompts[half]) for half in both}
