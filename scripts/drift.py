"""How far a run's model is from the base along the run's own answers: the exact KL divergence, token by token."""

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prefsweep.answer_tokens import AnswerTokens, answer_tokens
from prefsweep.cpu_share import Share, drift_share
from prefsweep.devices import claimed
from prefsweep.failures import StageError, recorded
from prefsweep.files import sha256_of, write_jsonl
from prefsweep.gates.files import check_files
from prefsweep.gates.measure import check_rendering
from prefsweep.memory import peak_memory
from prefsweep.plan import Plan, run_directory
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import installed_versions
from prefsweep.records.base import hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.drift import DriftRecord
from prefsweep.records.measure import Generation
from prefsweep.records.merge import MergeRecord

ROOT = Path(__file__).resolve().parent.parent
_EVERY = 20
"""Answers between two lines of progress."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--opponent", required=True, help="the base's run")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--threads", type=int, required=True, help="processor cores to use")
    parser.add_argument("--together", type=int, help="jobs that may share a device (default: no limit)")
    parser.add_argument("--share-cores", type=int, help="cores for all drifts, in place of these two")
    options = parser.parse_args()
    with recorded(options.run, "drift", options.output):
        plan = Plan.read(options.plan)
        share = Share(options.threads, options.together)
        if cores := options.share_cores:
            share = drift_share(plan, ROOT, cores)
        with claimed(plan.device, count=plan.generate.tensor_parallel, together=share.jobs):
            run(options, share.threads, time.perf_counter())


def run(options: argparse.Namespace, threads: int, started: float) -> None:
    import torch
    from transformers import AutoTokenizer

    from prefsweep.divergence import answer_drift, load_model

    torch.set_num_threads(threads)
    merge = checked_merge(options.output)
    base = run_directory(options.plan.parent, options.opponent)
    checked_merge(base)
    path = options.output / "generations.jsonl"
    generations = list(Generation.read_rows(path))
    tokenizer = AutoTokenizer.from_pretrained(options.output / "merged", local_files_only=True)
    answers = tokenised(tokenizer, heldout_prompts(options.data), generations, merge)
    model, untouched = load_model(options.output / "merged"), load_model(base / "merged")
    ready = time.perf_counter() - started
    found = [answer_drift(model, untouched, answer, merge.eos_token_ids) for answer in progress(answers)]
    write_jsonl(options.output / "drift.jsonl", [answer.model_dump() for answer in found])
    peak, _ = peak_memory()
    generated = {generation.prompt: generation.output_tokens for generation in generations}
    DriftRecord(
        run=options.run,
        opponent=options.opponent,
        generations_sha256=sha256_of(path),
        answers=len(found),
        recoded_answers=sum(answer.generated != generated[answer.prompt] for answer in answers),
        ready_seconds=ready,
        total_seconds=time.perf_counter() - started,
        peak_memory_bytes=peak,
        versions=installed_versions(),
    ).write(options.output / "drift.json")


def progress(answers: list[AnswerTokens]) -> Iterator[AnswerTokens]:
    """The answers one by one; the log says how many are done."""
    for done, answer in enumerate(answers):
        if done % _EVERY == 0:
            print(f"{done:,} of {len(answers):,} answers", file=sys.stderr, flush=True)
        yield answer


def checked_merge(directory: Path) -> MergeRecord:
    """The record of a run's merged model, whose files are still those it was made with."""
    merge = MergeRecord.read(directory / "merge.json")
    merged = directory / "merged"
    if not merged.is_dir():
        raise StageError(
            "model",
            f"{merged} is gone: `snakemake tidy` removes merged weights",
            "Run the same command with `--forcerun merge`, which merges and measures every run anew; or do without the "
            "distance from the base, with `evaluate: {kl_from_base: false}` in the study file.",
        )
    check_files("merge.json", "merged", merge.model, hashed_files(merged))
    return merge


def tokenised(
    tokenizer: Any, prompts: list[HeldOutPrompt], generations: list[Generation], merge: MergeRecord
) -> list[AnswerTokens]:
    """Every answer once, in the order of the prompts, in the tokens that the trainer's template gave its prompt."""
    by_prompt = {generation.prompt: generation for generation in generations}
    if len(by_prompt) != len(generations) or by_prompt.keys() != {prompt.id for prompt in prompts}:
        told = f"{len(generations)} answers to {len(prompts)} prompts: not every prompt was answered exactly once"
        raise StageError("score", told)
    answers = [answer_tokens(tokenizer, prompt, by_prompt[prompt.id]) for prompt in prompts]
    ids = {answer.prompt: answer.prompt_ids for answer in answers}
    for one in merge.rendered:
        check_rendering(one.prompt, {"the trainer": one.token_ids, "the tokenizer": ids[one.prompt]})
    return answers


if __name__ == "__main__":
    main()
