"""Serve one merged model and, through that one server, generate, time and evaluate it; then stop the server.

Natural-length answers go to generations.jsonl, fixed-length timing to throughput.json, lm-eval to evaluation.json.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from prefsweep.devices import claimed
from prefsweep.evaluation import PREFERENCE_TASK, as_evaluation, evaluate, task_rows
from prefsweep.failures import StageError, recorded
from prefsweep.files import write_jsonl
from prefsweep.gates.files import check_files
from prefsweep.gates.measure import check_rendering, check_scored
from prefsweep.generation import generate
from prefsweep.plan import Plan
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import hardware, installed_versions
from prefsweep.records.base import hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Throughput
from prefsweep.records.merge import MergeRecord
from prefsweep.serving import check_identity, serving
from prefsweep.task_settings import TaskSettings
from prefsweep.tasks import brings_documents, located

ANSWER_ROOM = 64
"""Tokens of context beyond the longest prompt and answer."""
TASK_CONTEXT = 2048
"""Tokens of context for tasks with documents of their own, which may stand behind several solved ones."""


@dataclass(frozen=True)
class Progress:
    """Says in the log what was reached, with the seconds since `started`."""

    started: float

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def __call__(self, text: str) -> None:
        print(f"[{self.seconds:6.1f} s] {text}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--tasks", type=Path, required=True, help="config/tasks")
    parser.add_argument("--evaluate", nargs="+", required=True, help="command that runs scripts/evaluate.py")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    options = parser.parse_args()
    with recorded(options.run, "measure", options.output):
        plan = Plan.read(options.plan)
        with claimed(plan.device, count=plan.generate.tensor_parallel):  # alone: answers are timed
            run(options, plan, Progress(time.perf_counter()))


def run(options: argparse.Namespace, plan: Plan, progress: Progress) -> None:
    from transformers import AutoTokenizer

    seed, screening = plan.run(options.run).seed, plan.run(options.run).rung is not None
    merge = MergeRecord.read(options.output / "merge.json")
    merged = options.output.resolve() / "merged"
    check_files("merge.json", "merged", merge.model, hashed_files(merged))
    prompts = heldout_prompts(options.data, options.run)
    pairs = [prompt for prompt in prompts if prompt.part == "heldout"]
    tokenizer = AutoTokenizer.from_pretrained(merged, local_files_only=True)
    texts = [tokenizer.apply_chat_template(p.messages, tokenize=False, add_generation_prompt=True) for p in prompts]
    token_ids = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    by_tokenizer = {prompt.id: ids for prompt, ids in zip(prompts, token_ids, strict=True)}
    for one in merge.rendered:
        check_rendering(one.prompt, {"the trainer": one.token_ids, "the tokenizer": by_tokenizer[one.prompt]})
    longest = max(map(len, token_ids)) + longest_answer(tokenizer, pairs, plan.generate.max_tokens)
    tasks = located(screening_tasks(plan) if screening else plan.tasks, options.tasks)
    task_length = max(longest + ANSWER_ROOM, task_context(tasks, merged))
    server_log = options.output / "logs" / "server.log"
    server_log.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="prefsweep-") as scratch,
        serving(
            [str(Path(sys.executable).with_name("vllm")), "serve"],
            merged,
            options.run,
            plan.generate,
            device=plan.device,
            max_length=max(task_length, plan.generate.timed_tokens + ANSWER_ROOM),
            seed=seed,
            log=server_log,
        ) as server,
    ):
        progress(f"server ready after {server.ready_seconds:.0f} s")
        check_identity(server, merge.probes, plan.generate.precision)
        progress("the server serves this run's merged model")
        from prefsweep.timing import WARM_UP_REQUESTS, time_passes  # loads vLLM's benchmark client

        started = time.perf_counter()
        generations = asyncio.run(generate(server, prompts, by_tokenizer, plan.generate, seed))
        natural_seconds = time.perf_counter() - started
        progress(f"{len(generations)} prompts answered in {natural_seconds:.0f} s")
        passes = [] if screening else asyncio.run(time_passes(server, token_ids, plan.generate))
        progress(f"{len(passes)} timed passes done")
        document = evaluate(
            server,
            options.evaluate,
            tasks,
            task_rows(pairs, [text for prompt, text in zip(prompts, texts, strict=True) if prompt.part == "heldout"]),
            tokenizer=merged,
            concurrency=max(plan.generate.concurrency),
            max_length=task_length,
            seed=seed,
            scratch=Path(scratch),
        )
        evaluation = as_evaluation(options.run, document, pairs)
        check_scored(merge.probes, evaluation.pairs, plan.generate.precision)
        progress("lm-eval done")
        peak = server.peak_memory_bytes()
    write_jsonl(options.output / "generations.jsonl", [generation.model_dump() for generation in generations])
    evaluation.write(options.output / "evaluation.json")
    Throughput(
        run=options.run,
        passes=passes,
        output_tokens_per_request=plan.generate.timed_tokens,
        warm_up_requests=WARM_UP_REQUESTS,
        prefix_caching=False,
        server_argv=server.argv,
        server_environment=server.environment,
        hardware=hardware(),
        ready_seconds=server.ready_seconds,
        natural_wall_seconds=natural_seconds,
        natural_answers=len(generations),
        natural_cut_answers=sum(generation.finish_reason == "length" for generation in generations),
        natural_output_tokens=sum(generation.output_tokens for generation in generations),
        natural_concurrency=max(plan.generate.concurrency),
        total_seconds=progress.seconds,
        peak_memory_bytes=peak,
        versions=installed_versions(),
    ).write(options.output / "throughput.json")


def screening_tasks(plan: Plan) -> list[TaskSettings]:
    """A rung is decided by what is known of each prompt: benchmarks wait for the points that are left."""
    return [task for task in plan.tasks if task.name == PREFERENCE_TASK] or plan.tasks


def task_context(tasks: list[TaskSettings], merged: Path) -> int:
    """Tokens that a prompt of these tasks may have; 0 where they read nothing but the study's own rows."""
    from transformers import AutoConfig

    if not any(brings_documents(task.name) for task in tasks):
        return 0
    config = AutoConfig.from_pretrained(merged, local_files_only=True)
    return min(TASK_CONTEXT, int(config.get_text_config().max_position_embeddings))


def longest_answer(tokenizer, pairs: list[HeldOutPrompt], max_tokens: int) -> int:  # type: ignore[no-untyped-def]
    """Tokens of the longest answer the server will meet, generated or given."""
    if not pairs:
        raise StageError("data", "there are no held-out pairs to score")
    given = [answer for pair in pairs for answer in (pair.chosen, pair.rejected) if answer]
    return max(max_tokens, *(len(tokenizer.encode(answer, add_special_tokens=False)) for answer in given))


if __name__ == "__main__":
    main()
