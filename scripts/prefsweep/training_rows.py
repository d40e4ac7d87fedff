"""Canonical rows in the form ms-swift reads: an id, `messages`, and `rejected_response` or `label`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from prefsweep.files import read_jsonl, write_jsonl
from prefsweep.prepared import heldout_prompts, prepared_rows
from prefsweep.records.data import HeldOutPrompt, LabelledRow, Pair

DataForm = Literal["pairs", "labelled"]


def write_training_rows(form: DataForm, data_directory: Path, target: Path) -> Path:
    """Write the rows every method with this form of data trains on; returns `target`."""
    if form == "pairs":
        pairs = [Pair.model_validate(row) for row in prepared_rows(data_directory, "pairs.jsonl")]
        write_jsonl(target, map(_engine_pair, pairs))
    else:
        rows = [LabelledRow.model_validate(row) for row in prepared_rows(data_directory, "labelled.jsonl")]
        write_jsonl(target, map(_engine_label, rows))
    return target


def write_heldout_rows(form: DataForm, data_directory: Path, target: Path) -> Path:
    """Write the development half of what is held out, for the loss during training; returns `target`.

    The half that results are reported on stays unseen.
    """
    prompts = [prompt for prompt in heldout_prompts(data_directory) if prompt.half == "development"]
    pairs = [
        Pair(id=p.id, cluster=p.cluster, messages=p.messages, chosen=p.chosen, rejected=p.rejected)
        for p in prompts
        if p.chosen is not None and p.rejected is not None
    ]
    single = [prompt for prompt in prompts if prompt.chosen is None or prompt.rejected is None]
    labelled = derived_labels(pairs) + [_single_label(prompt) for prompt in single]
    write_jsonl(target, map(_engine_pair, pairs) if form == "pairs" else map(_engine_label, labelled))
    return target


def written_ids(path: Path) -> list[str]:
    """The ids of the rows of a file written here."""
    return [row["id"] for row in read_jsonl(path)]


def derived_labels(pairs: Sequence[Pair]) -> list[LabelledRow]:
    """KTO's rows from exactly these pairs: every chosen answer desirable, every rejected one not.

    Desirable and undesirable rows alternate, each followed by a row of another pair: KTO estimates its
    KL term from a prompt with the next row's answer.
    """
    half = (len(pairs) + 1) // 2
    rows = []
    for index, pair in enumerate(pairs):
        other = pairs[(index + half) % len(pairs)]
        for source, answer, desirable in ((pair, pair.chosen, True), (other, other.rejected, False)):
            name = f"{source.id}.{'chosen' if desirable else 'rejected'}"
            rows.append(
                LabelledRow(
                    id=name,
                    cluster=source.cluster,
                    messages=source.messages,
                    answer=answer,
                    desirable=desirable,
                )
            )
    return rows


def _single_label(prompt: HeldOutPrompt) -> LabelledRow:
    answer, desirable = (prompt.rejected, False) if prompt.chosen is None else (prompt.chosen, True)
    return LabelledRow(
        id=prompt.id, cluster=prompt.cluster, messages=prompt.messages, answer=answer or "", desirable=desirable
    )


def _engine_pair(pair: Pair) -> dict[str, Any]:
    answer = {"role": "assistant", "content": pair.chosen}
    return {"id": pair.id, "messages": [*pair.messages, answer], "rejected_response": pair.rejected}


def _engine_label(row: LabelledRow) -> dict[str, Any]:
    answer = {"role": "assistant", "content": row.answer}
    return {"id": row.id, "messages": [*row.messages, answer], "label": row.desirable}
