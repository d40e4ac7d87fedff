"""Serve one merged model and, through that one server, generate, time and evaluate it; then stop the server.

Natural-length answers go to generations.jsonl, fixed-length timing to throughput.json, lm-eval to evaluation.json.
A server start takes longer than a swap of weights: asked to, the job measures other runs that wait for it as well,
through the same server, and their own jobs take over what it found.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from prefsweep.arm import Arm
from prefsweep.code import code_revision
from prefsweep.devices import claimed
from prefsweep.evaluation import as_evaluation, evaluate, task_rows
from prefsweep.failures import recorded
from prefsweep.files import published_directory, write_jsonl
from prefsweep.gates.measure import check_changed, check_scored
from prefsweep.generation import generate
from prefsweep.kept_answers import KeptAnswers, kept_answers
from prefsweep.measured_ahead import Kept, shared_inputs
from prefsweep.plan import Plan, run_directory
from prefsweep.provenance import hardware, installed_versions
from prefsweep.records.measure import Throughput
from prefsweep.serving import Server, check_identity, serving
from prefsweep.swapping import swapped


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
    parser.add_argument("--depends-on", type=Path, nargs="*", default=[], help="files every measurement depends on")
    parser.add_argument("--ahead", type=int, default=0, help="1: measure other runs that wait, too (default: 0)")
    options = parser.parse_args()
    with recorded(options.run, "measure", options.output):
        plan = Plan.read(options.plan)
        shared = [file for file in options.depends_on if file != options.output / "merge.json"]
        kept = Kept(options.plan.parent, shared_inputs(plan, shared))
        with kept.lock(options.run) if options.ahead else nullcontext():
            if kept.holds(options.run, options.output):
                print("measured already, through the server of another run's job or before this job was stopped")
            else:
                with claimed(plan.device, count=plan.generate.tensor_parallel):  # alone: answers are timed
                    measure(options, plan, kept)
            kept.hand_over(options.run, options.output)


def measure(options: argparse.Namespace, plan: Plan, kept: Kept) -> None:
    """Measure the job's own run with a server of its own, then through it, as long as nothing is wrong, others."""
    progress = Progress(time.perf_counter())
    arm = Arm.of(plan, options.run, options.output, options.data, options.tasks)
    log = options.output / "logs" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with serving(
        [str(Path(sys.executable).with_name("vllm")), "serve"],
        arm.merged,
        options.run,
        plan.generate,
        device=plan.device,
        max_length=arm.max_length,
        seed=arm.seed,
        log=log,
        swappable=bool(options.ahead),
    ) as server:
        progress(f"server ready after {server.ready_seconds:.0f} s")
        said = check_identity(server, arm.merge.probes, plan.generate.precision)
        progress("the server serves this run's merged model")
        with (
            answers_of(plan, arm, options.output) as there,
            published_directory(kept.place(options.run, options.output)) as target,
        ):
            measure_served(options, plan, arm, server, there, target, progress)
        if options.ahead:
            measure_others(options, plan, arm, server, said, kept)


def measure_others(
    options: argparse.Namespace, plan: Plan, own: Arm, server: Server, said: list[list[float]], kept: Kept
) -> None:
    """Measure runs that wait through a server that has measured `own`, of whose probes it has `said` so much.

    Whatever goes wrong here costs no result: the run is left to its own job, which starts a server of its own.
    """
    for run in kept.waiting(plan, own.run):
        progress, folder = Progress(time.perf_counter()), run_directory(options.plan.parent, run)
        try:
            arm = Arm.of(plan, run, folder, options.data, options.tasks)
            if arm.served_alike(own):
                swapped_in = swapped(server, arm.merged)
                before, said = said, check_identity(swapped_in, arm.merge.probes, plan.generate.precision)
                check_changed(before, said)
                progress(f"the server serves {run}'s merged model, whose weights took {swapped_in.ready_seconds:.1f} s")
                with answers_of(plan, arm, folder) as there, published_directory(kept.place(run, folder)) as target:
                    measure_served(options, plan, arm, swapped_in, there, target, progress)
        except Exception as error:
            progress(f"{run}, and what else waits, is left to its own job: {type(error).__name__}: {error}")
            return


def answers_of(plan: Plan, arm: Arm, folder: Path) -> AbstractContextManager[KeptAnswers]:
    """What a stopped job of the run in this folder has kept, if all is the same that answers follow from."""
    decides = {
        "model": [file.model_dump() for file in arm.merge.model],
        "prompts": [prompt.model_dump() for prompt in arm.prompts],
        "generate": plan.generate.model_dump(),
        "seed": arm.seed,
        "code": code_revision(Path(__file__)),
        "versions": installed_versions(),
    }
    return kept_answers(folder, decides, arm.tokens_by_prompt)


def measure_served(
    options: argparse.Namespace,
    plan: Plan,
    arm: Arm,
    server: Server,
    there: KeptAnswers,
    target: Path,
    progress: Progress,
) -> None:
    """Answers, timing and lm-eval of an arm, whose model the server has been proven to serve."""
    from prefsweep.timing import WARM_UP_REQUESTS, time_passes  # loads vLLM's benchmark client

    started = time.perf_counter()
    generations = asyncio.run(generate(server, arm.prompts, arm.tokens_by_prompt, plan.generate, arm.seed, there))
    natural_seconds = time.perf_counter() - started
    progress(f"{len(generations)} prompts answered in {natural_seconds:.0f} s")
    passes = [] if arm.screening else asyncio.run(time_passes(server, arm.token_ids, plan.generate))
    progress(f"{len(passes)} timed passes done")
    with tempfile.TemporaryDirectory(prefix="prefsweep-") as scratch:
        document = evaluate(
            server,
            options.evaluate,
            arm.tasks,
            task_rows(arm.pairs, arm.texts_of_pairs),
            tokenizer=arm.merged,
            concurrency=max(plan.generate.concurrency),
            max_length=arm.task_length,
            seed=arm.seed,
            scratch=Path(scratch),
        )
    evaluation = as_evaluation(arm.run, document, arm.pairs)
    check_scored(arm.merge.probes, evaluation.pairs, plan.generate.precision)
    progress("lm-eval done")
    write_jsonl(target / "generations.jsonl", [generation.model_dump() for generation in generations])
    evaluation.write(target / "evaluation.json")
    Throughput(
        run=arm.run,
        passes=passes,
        output_tokens_per_request=plan.generate.timed_tokens,
        warm_up_requests=WARM_UP_REQUESTS,
        prefix_caching=False,
        server_argv=server.argv,
        server_environment=server.environment,
        hardware=hardware(),
        weights_swapped=server.name != arm.run,
        ready_seconds=server.ready_seconds,
        natural_wall_seconds=None if there.resumed_at else natural_seconds,
        natural_answers=len(generations),
        natural_cut_answers=sum(generation.finish_reason == "length" for generation in generations),
        natural_output_tokens=sum(generation.output_tokens for generation in generations),
        natural_concurrency=max(plan.generate.concurrency),
        resumed_at_answers=there.resumed_at,
        total_seconds=progress.seconds + there.seconds_before,
        peak_memory_bytes=server.peak_memory_bytes(),
        versions=installed_versions(),
    ).write(target / "throughput.json")


if __name__ == "__main__":
    main()
