"""The same study twice from clean directories, and the same prompts again and again: what has the same bits?

Five methods, one point each, and the base, on a tiny random model with the real engines. In the first study jobs are
forked from one that has loaded the engine, and one server measures all runs; in the second each job loads the engine,
and each run has a server of its own. Then one server on SmolLM2 answers one prompt at a time and
eight at a time, in turns. Some 20 minutes on two quiet cores.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean
from typing import Any

from benchmarks.artefacts import KINDS, compared, told
from benchmarks.record import record
from prefsweep.arm import Arm
from prefsweep.environments import ensure, python_of
from prefsweep.generation import generate
from prefsweep.plan import BASE, Plan
from prefsweep.serving import Server, serving
from tests.e2e.trainer import write_tiny_model
from tests.real_project import ROOT, FinishedStudy, RealProject

STUDY = """\
study: twice
model: {path: model, model_type: llama, template: chatml}
dataset: emoji-en
device: cpu
seeds: [0]
primary_metric: preference_margin_normalised
methods: {dpo: , orpo: , simpo: , kto: , cpo: }
train: {learning_rate: 1.0e-2, batch_size: 4, max_length: 512, precision: float32}
generate: {max_tokens: 48, concurrency: [1, 8], repeats: 1, timed_tokens: 8, timed_requests: 8}
evaluate: {tasks: [preference-accuracy, held-out-perplexity]}
"""
SERVERS_OF_THEIR_OWN = ("--set-resources", "measure:ahead=0")
SMOLLM2 = """\
study: answers
model: smollm2-135m-instruct
dataset: emoji-en
device: cpu
methods: {dpo: }
generate: {max_tokens: 128, concurrency: [1, 8]}
evaluate: {tasks: [preference-accuracy]}
"""
PROMPTS = 32
AT_ONCE = (1, 8)
TURNS = 3
Answers = list[dict[str, object]]


def finished(project: RealProject, study: str, *arguments: str, **environment: str) -> FinishedStudy:
    """Run Snakemake. Exits with the last lines when it fails."""
    outcome = project.run(study, *arguments, **environment)
    if outcome.returncode:
        sys.exit(outcome.output[-4000:])
    return outcome


def of_studies() -> dict[str, float]:
    """Two whole studies, each in a checkout of its own."""
    with tempfile.TemporaryDirectory() as folder:
        studies = []
        for name, arguments, forks in (("first", (), "1"), ("second", SERVERS_OF_THEIR_OWN, "0")):
            (checkout := Path(folder) / name).mkdir()
            project = RealProject.copied_to(checkout)
            write_tiny_model(project.directory / "model")
            studies.append(finished(project, STUDY, *arguments, PREFSWEEP_FORKS=forks).directory)
        found = {kind: compared(kind, *studies) for kind in KINDS}
    told(found)
    return {name: value for kind, one in found.items() for name, value in one.figures(kind).items()}


def of_answers() -> dict[str, float]:
    """One server, the same prompts in several passes."""
    with tempfile.TemporaryDirectory() as folder:
        project = RealProject.copied_to(Path(folder))
        plan = Plan.read(finished(project, SMOLLM2, "plan").directory / "plan.json")
        (base,) = (run.id for run in plan.runs if run.id.startswith(f"{BASE}-"))
        study = finished(project, SMOLLM2, f"results/answers/runs/{base}/merge.json").directory
        arm = Arm.of(plan, base, study / "runs" / base, study / "data", ROOT / "config" / "tasks")
        vllm = [str(python_of("serve", "cpu").with_name("vllm")), "serve"]
        log, length = Path(folder) / "server.log", arm.max_length
        settings: dict[str, Any] = {"device": "cpu", "max_length": length, "seed": arm.seed, "log": log}
        with serving(vllm, arm.merged, base, plan.generate, **settings) as server:
            passes = [(at_once, *answered(server, arm, plan, at_once)) for at_once in AT_ONCE * TURNS]
    figures: dict[str, float] = {"prompts": PROMPTS}
    for at_once in AT_ONCE:
        figures[f"answers_seconds_at_{at_once}"] = fmean(seconds for other, _, seconds in passes if other == at_once)
        found = [answers for other, answers, _ in passes if other == at_once]
        same = (all(answer == answers[0] for answer in answers) for answers in zip(*found, strict=True))
        figures[f"answers_always_equal_at_{at_once}"] = sum(same)
    return figures


def answered(server: Server, arm: Arm, plan: Plan, at_once: int) -> tuple[Answers, float]:
    """One pass over the prompts, as a `measure` job makes it: answers without their times, and the seconds of all."""
    settings = plan.generate.model_copy(update={"concurrency": [at_once]})
    started = time.perf_counter()
    found = asyncio.run(generate(server, arm.prompts[:PROMPTS], arm.tokens_by_prompt, settings, arm.seed))
    return [answer.model_dump(exclude={"seconds"}) for answer in found], time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    ensure(["train", "serve", "evaluate"], "cpu")
    record("reproducibility", of_studies() | of_answers())


if __name__ == "__main__":
    main()
