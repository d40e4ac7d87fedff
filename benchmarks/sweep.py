"""The same study as a loop over the engines' own commands and through prefsweep, in turns: where does the time go?

Two points of each of five methods and the base, on a tiny random model that answers in a few tokens, which costs little
but what is around it, and on SmolLM2 with the demo's lengths, in a checkout of its own: hours on two quiet cores,
minutes for `--model tiny --points 1 --arms dpo`. Environments and models are made before, and nothing is measured of
that.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.naive_loop import NaiveLoop
from benchmarks.record import record
from benchmarks.watch import Watch
from prefsweep.environments import ensure
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.records.measure import Evaluation, Throughput
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from tests.e2e.trainer import write_tiny_model
from tests.real_project import RealProject

METHODS = ("dpo", "orpo", "simpo", "kto", "cpo")
MODELS = {
    "tiny": ("{path: model, model_type: llama, template: chatml}", 1e-2, "max_tokens: 16, timed_tokens: 8"),
    "smollm2": ("smollm2-135m-instruct", 2e-4, "max_tokens: 128, timed_tokens: 48"),
}
"""Name → what the study calls it, a learning rate at which it learns, and how long its answers are."""
STUDY = """\
study: {name}
model: {model}
dataset: emoji-en
device: cpu
seeds: [0]
primary_metric: preference_margin_normalised
methods: {{{methods}}}
train: {{learning_rate: {rates}, lora_rank: 8, lora_alpha: 32, batch_size: 4, max_length: 512, precision: float32}}
generate: {{concurrency: [1, 8], {lengths}}}
evaluate: {{tasks: [preference-accuracy, held-out-perplexity], kl_from_base: false}}
"""
"""The demo without what the loop has no command for: the divergence from the base."""


@dataclass(frozen=True)
class Side:
    """One way to run the study, once."""

    watch: Watch
    stages: dict[str, float]
    """Stage → time of all its jobs, in seconds; what has a share of the cores counts with that share."""
    useful_seconds: float
    """Optimiser steps and decoding, likewise."""

    def figures(self, prefix: str) -> dict[str, float]:
        """By name, with the time that is in no stage as `rest`."""
        stages = self.stages | {"rest": self.watch.seconds - sum(self.stages.values())}
        return {
            f"{prefix}_wall_seconds": self.watch.seconds,
            f"{prefix}_cpu_seconds": self.watch.cpu_seconds,
            f"{prefix}_useful_share": self.useful_seconds / self.watch.seconds,
            f"{prefix}_peak_memory_bytes": self.watch.peak_memory_bytes,
            **{f"{prefix}_{stage}_seconds": seconds for stage, seconds in stages.items()},
        }


def through_prefsweep(project: RealProject, study: str) -> Side:
    """Run the study to its end. Raises SystemExit with the last lines when it fails."""
    with Watch() as watch:
        finished = project.run(study)
    if finished.returncode:
        sys.exit(finished.output[-4000:])
    folders = [run_directory(finished.directory, run.id) for run in Plan.read(finished.directory / "plan.json").runs]
    trained = [TrainRecord.read(folder / "train.json") for folder in folders if not folder.parent.name.startswith(BASE)]
    cores = len(os.sched_getaffinity(0))
    measured = [Throughput.read(folder / "throughput.json") for folder in folders]
    shares = [(one.threads or cores) / cores for one in trained]
    answers = sum(one.natural_wall_seconds or 0.0 for one in measured)  # none of these is ever resumed
    timing = sum(timed.wall_seconds for one in measured for timed in one.passes)
    stages = {
        "train": sum(share * one.total_seconds for share, one in zip(shares, trained, strict=True)),
        "merge": sum(MergeRecord.read(folder / "merge.json").total_seconds for folder in folders),
        "server_start": sum(one.ready_seconds for one in measured),
        "answers": answers,
        "timing": timing,
        "lm_eval": sum(Evaluation.read(folder / "evaluation.json").total_seconds for folder in folders),
    }
    steps = sum(share * one.train_seconds for share, one in zip(shares, trained, strict=True))
    return Side(watch, stages, steps + answers + timing)


def as_a_loop(project: RealProject, name: str) -> Side:
    """The runs of a study that has been through prefsweep, by the engines' own commands."""
    loop = NaiveLoop(project.directory, name, project.directory / "loop" / name)
    with Watch() as watch:
        loop.run()
    return Side(watch, dict(loop.seconds), loop.useful_seconds)


def compared(model: str, points: int, methods: Sequence[str], turns: int) -> dict[str, float]:
    """Figures of both ways for one model, means over the turns."""
    description, rate, lengths = MODELS[model]
    totals: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        project = RealProject.copied_to(Path(folder))
        write_tiny_model(project.directory / "model")
        for turn in range(1, turns + 1):
            name = f"{model}-{turn}"
            study = STUDY.format(
                name=name,
                model=description,
                methods=", ".join(f"{method}: " for method in methods),
                rates=[rate / 2**point for point in range(points)],
                lengths=lengths,
            )
            if (fetched := project.run(study, "prefetch")).returncode:
                sys.exit(fetched.output[-4000:])
            sides = {"prefsweep": through_prefsweep(project, study), "naive": as_a_loop(project, name)}
            for way, side in sides.items():
                for figure, value in side.figures(way).items():
                    totals[figure] = totals.get(figure, 0.0) + value / turns
    speedup = totals["naive_wall_seconds"] / totals["prefsweep_wall_seconds"]
    return {"speedup_over_naive": speedup, "trained_runs": points * len(methods), "turns": turns, **totals}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--points", type=int, default=2, help="of each method (default: %(default)s)")
    parser.add_argument("--arms", nargs="+", choices=METHODS, default=METHODS, help="methods (default: all five)")
    parser.add_argument("--turns", type=int, default=1, help="how often each way (default: %(default)s)")
    options = parser.parse_args()
    ensure(["train", "serve", "evaluate"], "cpu")
    for model in options.model:
        record(f"sweep_{model}", compared(model, options.points, options.arms, options.turns))


if __name__ == "__main__":
    main()
