"""lm-eval through the arm's own server: what its task files read, the call, and its results as a record."""

import json
import math
from pathlib import Path
from typing import Any

from prefsweep.credentials import given
from prefsweep.failures import StageError
from prefsweep.files import write_jsonl
from prefsweep.process_group import process_group
from prefsweep.records.base import read_document
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, PairScore, TaskConditions, TaskDocuments
from prefsweep.serving import Server
from prefsweep.stalling import wait_while_alive
from prefsweep.task_settings import TaskSettings
from prefsweep.tasks import is_elsewhere

PREFERENCE_TASK = "preference-accuracy"


def task_rows(pairs: list[HeldOutPrompt], rendered: list[str]) -> list[dict[str, str]]:
    """Rows of the project's task files: the prompt as the model sees it, and the two answers.

    A prompt without a preferred answer, which only rows labelled one by one leave, has nothing to be scored on.
    """
    return [
        {"id": pair.id, "prompt": prompt, "chosen": pair.chosen, "rejected": pair.rejected or ""}
        for pair, prompt in zip(pairs, rendered, strict=True)
        if pair.chosen is not None
    ]


def evaluate(
    server: Server,
    command: list[str],
    tasks: list[TaskSettings],
    rows: list[dict[str, str]],
    *,
    tokenizer: Path,
    concurrency: int,
    max_length: int,
    seed: int,
    scratch: Path,
) -> dict[str, Any]:
    """Run `scripts/evaluate.py` (`command`) against the server; returns its document.

    Raises StageError("score") when lm-eval fails, "timeout" when it hangs; its output is in the log.
    """
    inputs, output = scratch / "task-rows.jsonl", scratch / "lm-eval.json"
    write_jsonl(inputs, rows)
    described = [json.dumps(dict(task)) for task in tasks]
    arguments = [
        *command,
        *("--url", f"{server.url}/v1/completions", "--model", server.name, "--tokenizer", str(tokenizer)),
        *("--tasks", *described, "--rows", str(inputs), "--concurrency", str(concurrency)),
        *("--max-length", str(max_length), "--seed", str(seed), "--scratch", str(scratch)),
        *("--output", str(output)),
    ]
    environment = {"OPENAI_API_KEY": server.key, "TOKENIZERS_PARALLELISM": "false"} | hub_settings(tasks)
    with process_group(arguments, environment) as process:
        status = wait_while_alive(process, "lm-eval", scratch)
    if status != 0:
        raise StageError("score", f"lm-eval ended with status {status}; its output is in the log")
    found = read_document(output)
    assert isinstance(found, dict)
    return found


def hub_settings(tasks: list[TaskSettings]) -> dict[str, str]:
    """A hub is asked, with the caller's token, where a task's documents are only there; else never."""
    asked = any(is_elsewhere(task.name) for task in tasks)
    return given(["HF_TOKEN"]) if asked else {"HF_HUB_OFFLINE": "1"}


def as_evaluation(run: str, document: dict[str, Any], pairs: list[HeldOutPrompt]) -> Evaluation:
    """lm-eval's document as a record; pairs are joined by id, never by position.

    Raises StageError("score") when a run-level result is not a number.
    """
    for task, values in document["tasks"].items():
        for metric, value in values.items():
            if not math.isfinite(value):
                raise StageError("score", f"lm-eval gives {value} as {metric} of {task}")
    by_id = {pair.id: pair for pair in pairs}
    return Evaluation(
        run=run,
        pairs=[_pair_score(sample, by_id) for sample in document["samples"].get(PREFERENCE_TASK, [])],
        tasks=document["tasks"],
        documents=_documents(document, by_id),
        task_versions=document["task_versions"],
        total_seconds=document["seconds"],
        versions=document["versions"],
    )


def _pair_score(sample: dict[str, Any], pairs: dict[str, HeldOutPrompt]) -> PairScore:
    pair = pairs[sample["id"]]
    (chosen, _), (rejected, _) = sample["responses"]
    return PairScore(
        prompt=pair.id,
        chosen_log_prob=chosen,
        rejected_log_prob=rejected,
        chosen_characters=len(pair.chosen or ""),
        rejected_characters=len(pair.rejected or ""),
    )


def _documents(document: dict[str, Any], pairs: dict[str, HeldOutPrompt]) -> dict[str, TaskDocuments]:
    """Per task, and for a group its tasks' documents together; a group within a group is part of the outer one."""
    groups = {name: leaves for name, leaves in document["groups"].items() if len(leaves) > 1}
    outer = {
        name: leaves
        for name, leaves in groups.items()
        if not any(set(leaves) < set(others) for others in groups.values())
    }
    grouped = {leaf for leaves in outer.values() for leaf in leaves}
    alone = {name: [name] for name in document["samples"] if name not in grouped}
    return {name: _of_task(leaves, document, pairs) for name, leaves in (alone | outer).items()}


def _of_task(leaves: list[str], document: dict[str, Any], pairs: dict[str, HeldOutPrompt]) -> TaskDocuments:
    rows: dict[str, dict[str, float]] = {}
    contents: dict[str, str] = {}
    better: dict[str, bool] = {}
    own: set[str] = set()
    for leaf in leaves:
        for sample in document["samples"][leaf]:
            place = f"{sample['number']:d}" if len(leaves) == 1 else f"{leaf}/{sample['number']:d}"
            contents[place] = sample["content"][:16]
            own.add(str(sample["id"]))
            for metric, raw in sample["values"].items():
                name, value = document_value(metric, raw)
                name = name if sample["filter"] == "none" else f"{name},{sample['filter']}"
                if value is not None:
                    rows.setdefault(name, {})[place] = value
                high = document["higher_is_better"].get(leaf, {}).get(metric)
                better |= {} if high is None else {name: high}
    return TaskDocuments(
        conditions=_conditions([document["conditions"][leaf] for leaf in leaves]),
        heldout=own <= pairs.keys(),
        ids=list(contents),
        contents=list(contents.values()),
        values={name: [found.get(place) for place in contents] for name, found in rows.items()},
        higher_is_better={name: high for name, high in better.items() if name in rows},
    )


def _conditions(tasks: list[dict[str, Any]]) -> TaskConditions:
    """Those of a task, or of a group's tasks, which can differ in the number of solved examples alone."""
    shots = {task["num_fewshot"] for task in tasks}
    return TaskConditions(**tasks[0] | {"num_fewshot": shots.pop() if len(shots) == 1 else None})


_BITS_PER = {"word_perplexity": "bits_per_word", "byte_perplexity": "bits_per_byte", "bits_per_byte": "bits_per_byte"}
"""lm-eval's perplexities, which it keeps as a document's log-likelihood and length, by what one of its length costs."""


def document_value(metric: str, raw: object) -> tuple[str, float | None]:
    """What lm-eval kept of one document as the name and value of a mean over documents.

    Perplexities become −log₂ likelihood per word, byte or, for `perplexity`, per answer: its logarithm, which a mean
    over documents suits. A list of booleans, one per instruction, becomes the share that is met. None where
    there is no number, as for an F1 or BLEU that only all documents together have.
    """
    if metric in _BITS_PER and isinstance(raw, list) and len(raw) == 2 and raw[1]:
        return _BITS_PER[metric], _finite(-raw[0] / (raw[1] * math.log(2)))
    if metric == "perplexity" and isinstance(raw, int | float):
        return "bits_per_answer", _finite(-raw / math.log(2))
    if isinstance(raw, list) and raw and all(isinstance(one, bool) for one in raw):
        return metric, sum(raw) / len(raw)
    return metric, _finite(raw) if isinstance(raw, int | float) else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
