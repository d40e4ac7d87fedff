"""lm-eval through the arm's own server: what its task files read, the call, and its results as a record."""

import os
import subprocess
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.files import write_jsonl
from prefsweep.records.base import read_document
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, PairScore
from prefsweep.serving import Server

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
    tasks: list[str],
    rows: list[dict[str, str]],
    *,
    tokenizer: Path,
    concurrency: int,
    max_length: int,
    seed: int,
    scratch: Path,
) -> dict[str, Any]:
    """Run `scripts/evaluate.py` (`command`) against the server; returns its document.

    Raises StageError("score") when lm-eval fails; its output is in the log.
    """
    inputs, output = scratch / "task-rows.jsonl", scratch / "lm-eval.json"
    write_jsonl(inputs, rows)
    arguments = [
        *command,
        *("--url", f"{server.url}/v1/completions", "--model", server.name, "--tokenizer", str(tokenizer)),
        *("--tasks", *tasks, "--rows", str(inputs), "--concurrency", str(concurrency)),
        *("--max-length", str(max_length), "--seed", str(seed), "--output", str(output)),
    ]
    environment = os.environ | {
        "OPENAI_API_KEY": server.key,
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    environment["HF_DATASETS_CACHE"] = str(scratch / "datasets")
    finished = subprocess.run(arguments, env=environment, check=False)
    if finished.returncode != 0:
        raise StageError("score", f"lm-eval ended with status {finished.returncode}; its output is in the log")
    found = read_document(output)
    assert isinstance(found, dict)
    return found


def as_evaluation(run: str, document: dict[str, Any], pairs: list[HeldOutPrompt]) -> Evaluation:
    """lm-eval's document as a record; pairs are joined by id, never by position."""
    by_id = {pair.id: pair for pair in pairs}
    scores = []
    for sample in document["samples"].get(PREFERENCE_TASK, []):
        pair = by_id[sample["id"]]
        (chosen, _), (rejected, _) = sample["responses"]
        scores.append(
            PairScore(
                prompt=pair.id,
                chosen_log_prob=chosen,
                rejected_log_prob=rejected,
                chosen_characters=len(pair.chosen or ""),
                rejected_characters=len(pair.rejected or ""),
            )
        )
    return Evaluation(
        run=run,
        pairs=scores,
        tasks=document["tasks"],
        task_versions=document["task_versions"],
        total_seconds=document["seconds"],
        versions=document["versions"],
    )
