"""The same study twice from clean directories, and the same prompts again and again: what has the same bits?

Five methods, one point each, and the base, on a tiny random model with the real engines; the second study measures each
run with a server of its own, the first all through one. Then one server on SmolLM2 answers one prompt at a time and
several at a time, in turns. Some 20 minutes on two quiet cores.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

from benchmarks.artefacts import KINDS, compared
from benchmarks.record import record
from prefsweep.arm import Arm
from prefsweep.environments import ensure, python_of
from prefsweep.generation import generate
from prefsweep.plan import BASE, Plan
from prefsweep.records.measure import Generation
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
PROMPTS = 24
AT_ONCE = (8, 1, 8, 1, 8)
"""Requests at a time, of each pass over the prompts."""
Answers = list[dict[str, object]]


def finished(project: RealProject, study: str, *arguments: str) -> FinishedStudy:
    """Run Snakemake. Exits with the last lines when it fails."""
    outcome = project.run(study, *arguments)
    if outcome.returncode:
        sys.exit(outcome.output[-4000:])
    return outcome


def of_studies() -> dict[str, float]:
    """Two whole studies, each in a checkout of its own."""
    with tempfile.TemporaryDirectory() as folder:
        studies = []
        for name, arguments in (("first", ()), ("second", SERVERS_OF_THEIR_OWN)):
            project = RealProject.copied_to(Path(folder) / name)
            write_tiny_model(project.directory / "model")
            studies.append(finished(project, STUDY, *arguments).directory)
        found = {kind: compared(kind, *studies) for kind in KINDS}
    for kind, comparison in found.items():
        print(f"{kind}: {comparison.equal_parts} of {comparison.parts} parts are equal", *comparison.apart, sep="\n  ")
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
        with serving(
            vllm, arm.merged, base, plan.generate, device="cpu", max_length=length, seed=arm.seed, log=log
        ) as server:
            passes = [(at_once, *answered(server, arm, plan, at_once)) for at_once in AT_ONCE]
    figures: dict[str, float] = {"prompts": PROMPTS}
    for at_once in sorted(set(AT_ONCE)):
        seconds = [taken for other, _, taken in passes if other == at_once]
        figures[f"answers_seconds_at_{at_once}"] = sum(seconds) / len(seconds)
    for (one, first, _), (other, second, _) in combinations(passes, 2):
        name = f"fewest_equal_answers_at_{min(one, other)}_and_{max(one, other)}"
        equal = sum(ours == theirs for ours, theirs in zip(first, second, strict=True))
        figures[name] = min(equal, figures.get(name, equal))
    return figures


def answered(server: Server, arm: Arm, plan: Plan, at_once: int) -> tuple[Answers, float]:
    """One pass over the prompts, as a `measure` job makes it: answers without their times, and the seconds of all."""
    settings = plan.generate.model_copy(update={"concurrency": [at_once]})
    started = time.perf_counter()
    found: list[Generation] = asyncio.run(
        generate(server, arm.prompts[:PROMPTS], arm.tokens_by_prompt, settings, arm.seed)
    )
    return [answer.model_dump(exclude={"seconds"}) for answer in found], time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.parse_args()
    ensure(["train", "serve", "evaluate"], "cpu")
    record("reproducibility", of_studies() | of_answers())


if __name__ == "__main__":
    main()
