"""One fair data set for all methods: checked, split by prompt, filtered once, written with its audit."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import TemplateError

from prefsweep.audit import audited
from prefsweep.chat import ChatTokenizer
from prefsweep.data_files import local_files
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import Entries, Entry, read_entries
from prefsweep.files import write_jsonl
from prefsweep.records.audit import DataAudit
from prefsweep.records.base import FileHash, Record, hashed_files
from prefsweep.records.data import Half, HeldOutPrompt, LabelledRow, Pair
from prefsweep.rows import Problems
from prefsweep.selection import Selection, select
from prefsweep.splitting import cluster_of, halves_of
from prefsweep.training_rows import derived_labels


def prepare(spec: DatasetSpec, downloads: Path, model_directory: Path, max_length: int, output: Path) -> DataAudit:
    """Write `pairs.jsonl`, `labelled.jsonl`, `heldout.jsonl` and, last, `data.json` into `output`.

    Rows longer than `max_length` tokens, prompt and answer through the model's chat template, are dropped for
    every method alike. Raises StageError of class `data` that names rows and remedies, `model` when the
    directory has no usable tokenizer, `network` when a hub's files cannot be fetched to `downloads`.
    """
    problems = Problems()
    entries = read_entries(spec, local_files(spec, downloads), problems)
    chat = ChatTokenizer(model_directory)
    row_tokens = _row_tokens([*entries.training, *entries.heldout], chat, problems)
    _row_tokens(entries.showcase, chat, problems)
    problems.raise_if_any()
    selection = select(entries, spec, row_tokens, max_length)
    halves = halves_of(selection.heldout.clusters)
    files = _write_rows(entries, selection, halves, output)
    audit = audited(spec, entries, selection, halves, chat, row_tokens, max_length, files)
    audit.write(output / "data.json")
    return audit


def _row_tokens(entries: Sequence[Entry], chat: ChatTokenizer, problems: Problems) -> dict[str, int]:
    """Each row's length in tokens, of its longer dialogue; what the template refuses goes to `problems`."""
    rendered: list[str] = []
    owners: list[str] = []
    for entry in entries:
        row = entry.example
        answers = [answer for answer in (row.answer, row.rejected) if answer is not None]
        texts = [*(turn["content"] for turn in row.messages), *answers]
        special = next((token for token in chat.special_tokens for text in texts if token in text), None)
        if special is not None:
            problems.add("special token", entry.path, row.line, f"contains {special}, a token of this model")
            continue
        try:
            rendered += [chat.render(row.messages, answer) for answer in answers or [""]]
        except TemplateError as error:
            problems.add("chat template", entry.path, row.line, str(error))
            continue
        owners += [entry.id] * max(1, len(answers))
    lengths: dict[str, int] = {}
    for owner, length in zip(owners, chat.lengths(rendered), strict=True):
        lengths[owner] = max(length, lengths.get(owner, 0))
    return lengths


def _write_rows(entries: Entries, selection: Selection, halves: Mapping[str, Half], output: Path) -> list[FileHash]:
    training = selection.training.entries
    pairs = [_pair(entry) for entry in training] if entries.content == "pairs" else []
    labelled = derived_labels(pairs) if pairs else sorted(map(_labelled, training), key=lambda row: row.id)
    tested = selection.heldout.entries
    single = any(entry.example.desirable is not None for entry in tested)
    heldout = _by_prompt(tested, halves) if single else [_heldout(entry, halves[entry.cluster]) for entry in tested]
    rows: dict[str, Sequence[Record]] = {
        "pairs.jsonl": pairs,
        "labelled.jsonl": labelled,
        "heldout.jsonl": [*heldout, *(_heldout(entry, None) for entry in entries.showcase)],
    }
    for name, records in rows.items():
        write_jsonl(output / name, (record.model_dump() for record in records))
    return [file for file in hashed_files(output) if file.name in rows]


def _pair(entry: Entry) -> Pair:
    row = entry.example
    return Pair(
        id=entry.id,
        cluster=entry.cluster,
        messages=row.messages,
        chosen=row.answer or "",
        rejected=row.rejected or "",
    )


def _labelled(entry: Entry) -> LabelledRow:
    row = entry.example
    return LabelledRow(
        id=entry.id,
        cluster=entry.cluster,
        messages=row.messages,
        answer=row.answer or "",
        desirable=bool(row.desirable),
    )


def _by_prompt(labelled: Sequence[Entry], halves: Mapping[str, Half]) -> list[HeldOutPrompt]:
    """Rows labelled one by one as prompts, each once: with a desirable and an undesirable answer where there is one.

    Prompts that are only nearly the same, and so in one cluster, keep their own answers.
    """
    prompts: dict[str, list[Entry]] = {}
    for entry in sorted(labelled, key=lambda entry: entry.id):
        prompts.setdefault(cluster_of(entry.example.messages), []).append(entry)
    found = []
    for _, entries in sorted(prompts.items()):
        answers = {bool(entry.example.desirable): entry.example.answer for entry in reversed(entries)}
        prompt = _heldout(entries[0], halves[entries[0].cluster])
        found.append(prompt.model_copy(update={"chosen": answers.get(True), "rejected": answers.get(False)}))
    return found


def _heldout(entry: Entry, half: Half | None) -> HeldOutPrompt:
    row = entry.example
    return HeldOutPrompt(
        id=entry.id,
        cluster=entry.cluster,
        part="showcase" if half is None else "heldout",
        half=half,
        messages=row.messages,
        chosen=row.answer,
        rejected=row.rejected,
    )
