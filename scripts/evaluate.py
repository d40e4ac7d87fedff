"""Run lm-eval tasks against an OpenAI-compatible server; every result and every sample goes to one JSON file.

Runs in the `evaluate` environment, on lm-eval and what it brings. The server's key is taken from
OPENAI_API_KEY, never from the command line.
"""

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
STARTED = time.perf_counter()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT/v1/completions")
    parser.add_argument("--model", required=True, help="name the server serves under")
    parser.add_argument("--tokenizer", required=True, help="folder of the served model")
    parser.add_argument("--tasks", nargs="+", required=True, help="task files, or names lm-eval knows")
    parser.add_argument("--rows", type=Path, required=True, help="JSON lines the task files read")
    parser.add_argument("--concurrency", type=int, required=True)
    parser.add_argument("--max-length", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    found = evaluate(options)
    options.output.write_text(json.dumps(found, default=plain), encoding="utf-8")


def evaluate(options: argparse.Namespace) -> dict[str, object]:
    """lm-eval's results, what it found for each document, which metrics are better high, task versions, seconds."""
    import lm_eval

    results = lm_eval.simple_evaluate(
        model="local-completions",
        model_args={
            "base_url": options.url,
            "model": options.model,
            "tokenizer": options.tokenizer,
            "tokenizer_backend": "huggingface",
            "num_concurrent": options.concurrency,
            "max_length": options.max_length,
            "max_retries": 3,
            "seed": options.seed,
        },
        tasks=[task(name, options.rows) for name in options.tasks],
        random_seed=options.seed,
        numpy_random_seed=options.seed,
        torch_random_seed=options.seed,
        fewshot_random_seed=options.seed,
        bootstrap_iters=0,
        log_samples=True,
    )
    return {
        "tasks": {name: numbers(values) for name, values in results["results"].items()},
        "samples": {name: [sample(row) for row in rows] for name, rows in results["samples"].items()},
        "groups": {name: leaves(name, results["group_subtasks"]) for name in results["group_subtasks"]},
        "higher_is_better": results["higher_is_better"],
        "task_versions": {name: str(value) for name, value in results["versions"].items()},
        "seconds": time.perf_counter() - STARTED,
        "versions": {package: version(package) for package in ("lm-eval", "transformers", "datasets")},
    }


def task(name: str, rows: Path) -> object:
    """A task file, with the study's rows filled in unless it brings its own; any other name is lm-eval's own."""
    if not name.endswith(".yaml"):
        return name
    configuration = yaml.safe_load(Path(name).read_text(encoding="utf-8"))
    given = configuration.get("dataset_kwargs") or {}
    files = absolute(given["data_files"]) if "data_files" in given else {"test": str(rows)}
    return configuration | {"dataset_kwargs": given | {"data_files": files}}


def absolute(files: object) -> object:
    """Relative paths of data files, which start at the project's root, as absolute ones; addresses as they are."""
    if isinstance(files, dict):
        return {split: absolute(value) for split, value in files.items()}
    if isinstance(files, list):
        return [absolute(value) for value in files]
    return files if "://" in str(files) else str(ROOT / str(files))


def leaves(name: str, groups: dict[str, list[str]]) -> list[str]:
    """The tasks with documents of their own that a task or a group of groups consists of."""
    return [leaf for part in groups[name] for leaf in leaves(part, groups)] if groups.get(name) else [name]


def numbers(values: dict[str, object]) -> dict[str, float]:
    """Numeric metrics under their plain names (lm-eval calls them `acc,none`); how many documents is no metric."""
    return {
        key.removesuffix(",none"): float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and "stderr" not in key and key != "sample_len"
    }


def sample(row: dict[str, object]) -> dict[str, object]:
    """What later stages need of one document under one filter: which it is, its metrics, each request's response."""
    return {
        "id": row["doc"].get("id"),
        "number": row["doc_id"],
        "content": row["doc_hash"],
        "filter": row["filter"],
        "values": {name: row[name] for name in row["metrics"]},
        "responses": row["filtered_resps"],
    }


def plain(value: object) -> object:
    """NumPy's numbers as Python's; anything else that is not JSON as text, which no later stage takes for a number."""
    return value.item() if hasattr(value, "item") else str(value)


if __name__ == "__main__":
    main()
