"""Run lm-eval tasks against an OpenAI-compatible server; every result and every sample goes to one JSON file.

Runs in the `evaluate` environment. The server's key is taken from OPENAI_API_KEY, never from the command line.
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from prefsweep.lm_eval_form import SETTINGS, is_file, leaves, merged, numbers, plain, run_alike, sample, task

TASKS = "each as JSON: name (of a file, or lm-eval's own), limit, num_fewshot, apply_chat_template"
STARTED = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/v1/completions")
    parser.add_argument("--model", required=True, help="name the server serves under")
    parser.add_argument("--tokenizer", required=True, help="folder of the served model")
    parser.add_argument("--tasks", nargs="+", required=True, type=json.loads, help=TASKS)
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines the task files read")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--scratch", type=Path, required=True, help="folder for what is made of the documents")
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    found = evaluate(options)
    options.output.write_text(json.dumps(found, default=plain), encoding="utf-8")


def evaluate(options: argparse.Namespace) -> dict[str, object]:
    """lm-eval's results, what it found for each document and how, which metrics are better high, versions, seconds."""
    from lm_eval.tasks import TaskManager

    keep_documents_in(options.scratch / "datasets")
    model = model_arguments(options)
    # Reading all of lm-eval's own tasks takes longer than the project's: only where one of them is asked for.
    manager = TaskManager(metadata=model, include_defaults=not all(is_file(one["name"]) for one in options.tasks))
    parts = [run(alike, options, model, manager) for alike in run_alike(options.tasks)]
    groups = merged(part["group_subtasks"] for part in parts)
    return {
        "tasks": {name: numbers(values) for name, values in merged(part["results"] for part in parts).items()},
        "samples": {name: [sample(row) for row in rows] for part in parts for name, rows in part["samples"].items()},
        "conditions": merged(part["conditions"] for part in parts),
        "groups": {name: leaves(name, groups) for name in groups},
        "higher_is_better": merged(part["higher_is_better"] for part in parts),
        "task_versions": {name: str(value) for part in parts for name, value in part["versions"].items()},
        "seconds": time.perf_counter() - STARTED,
        "versions": {package: version(package) for package in ("lm-eval", "transformers", "datasets")},
    }


def keep_documents_in(folder: Path) -> None:
    """What is made of documents. (The variable for that counts as `datasets` is loaded, perhaps for many calls.)"""
    from datasets import config

    config.HF_DATASETS_CACHE = folder
    config.DOWNLOADED_DATASETS_PATH = folder / config.DOWNLOADED_DATASETS_DIR
    config.EXTRACTED_DATASETS_PATH = config.DOWNLOADED_DATASETS_PATH / config.EXTRACTED_DATASETS_DIR


def model_arguments(options: argparse.Namespace) -> dict[str, object]:
    return {
        "base_url": options.url,
        "model": options.model,
        "tokenizer": options.tokenizer,
        "tokenizer_backend": "huggingface",
        "num_concurrent": options.concurrency,
        "max_length": options.max_length,
        "max_retries": 3,
        "seed": options.seed,
    }


def run(tasks: list[dict[str, Any]], options: argparse.Namespace, model: dict[str, object], manager: object) -> Any:
    """lm-eval's own results for tasks of the same settings, and under `conditions` how each of them was run."""
    import lm_eval

    settings = {key: tasks[0][key] for key in SETTINGS}
    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args=model,
        task_manager=manager,
        tasks=[task(one["name"], options.rows) for one in tasks],
        **settings,
        random_seed=options.seed,
        numpy_random_seed=options.seed,
        torch_random_seed=options.seed,
        fewshot_random_seed=options.seed,
        bootstrap_iters=0,
        log_samples=True,
    )
    used = {name: settings | {"num_fewshot": results["n-shot"][name]} for name in results["samples"]}
    return results | {"conditions": used}


if __name__ == "__main__":
    main()
