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
    options.output.write_text(json.dumps(found, allow_nan=False), encoding="utf-8")


def evaluate(options: argparse.Namespace) -> dict[str, object]:
    """lm-eval's results, the samples' log-likelihoods, task versions, seconds."""
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


def numbers(values: dict[str, object]) -> dict[str, float]:
    """Numeric metrics under their plain names (lm-eval calls them `acc,none`)."""
    return {
        key.removesuffix(",none"): float(value)
        for key, value in values.items()
        if isinstance(value, int | float) and "stderr" not in key
    }


def sample(row: dict[str, object]) -> dict[str, object]:
    """What later stages need of one document: its own id where it has one, and each request's log-likelihood."""
    return {"id": row["doc"].get("id"), "responses": row["filtered_resps"]}


if __name__ == "__main__":
    main()
