"""What screening saves on the demo, and whether it finds the winner that training every point to the end finds.

The demo's model, data and methods, each method at two learning rates, once as a grid and once with halving, in a
checkout of its own: about an hour on two cores. Rungs are merged and served as well, so that on so small a study wall
time can grow where optimiser steps are saved; both are recorded.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas

from benchmarks.record import record
from prefsweep.records.train import TrainRecord
from tests.real_project import RealProject

STUDY = """\
study: {name}
model: smollm2-135m-instruct
dataset: emoji-en
device: cpu
seeds: [0]
primary_metric: preference_margin_normalised
methods:
  dpo: {{learning_rate: [5.0e-5, 2.0e-4]}}
  orpo: {{learning_rate: [1.0e-4, 5.0e-4]}}
  simpo: {{learning_rate: [5.0e-5, 2.0e-4]}}
  kto: {{learning_rate: [5.0e-5, 2.0e-4]}}
  cpo: {{learning_rate: [5.0e-5, 2.0e-4]}}
search: {search}
train: {{lora_rank: 8, lora_alpha: 32, epochs: 1, batch_size: 4, max_length: 512, precision: float32}}
generate: {{max_tokens: 64, concurrency: [8], repeats: 1, timed_tokens: 16}}
evaluate: {{tasks: [preference-accuracy]}}
"""
HALVING = "{halving: {start: 0.25, keep: 0.5, rungs: 1}}"


@dataclass(frozen=True)
class Outcome:
    """One finished study."""

    seconds: float
    steps: int
    """Optimiser steps made, those of rungs once."""
    train_seconds: float
    best: dict[str, str]
    """Method → its best point on the development half."""
    recommended: str


def run(project: RealProject, name: str, search: str) -> Outcome:
    """Run a study to its end. Raises SystemExit with the last lines when it fails."""
    started = time.monotonic()
    study = project.run(STUDY.format(name=name, search=search))
    seconds = time.monotonic() - started
    if study.returncode:
        sys.exit(study.output[-4000:])
    trained = [TrainRecord.read(path) for path in ends(study.directory)]
    points = pandas.read_csv(study.report / "comparison.csv").set_index("point")
    best = points[points["best_of_method"] & (points["method"] != "base")]
    return Outcome(
        seconds=seconds,
        steps=sum(one.steps for one in trained),
        train_seconds=sum(one.train_seconds for one in trained),
        best={str(row["method"]): str(point) for point, row in best.iterrows()},
        recommended=str(best["development_estimate"].idxmax()),
    )


def ends(study: Path) -> list[Path]:
    """The last manifest of every point: a run continued from a rung counts the rung's steps as its own."""
    found: list[Path] = []
    for seed in study.glob("runs/*/seed-*"):
        made = [path for path in (seed / "train.json", seed / "rung-1" / "train.json") if path.exists()]
        found += [path for path in made if path.stat().st_size][:1]
    return found


def figures(grid: Outcome, halved: Outcome) -> dict[str, Any]:
    """The two outcomes side by side."""
    same = [halved.best[method] == point for method, point in grid.best.items()]
    return {
        "points": 2 * len(grid.best),
        "steps_of_all_points": grid.steps,
        "steps_with_halving": halved.steps,
        "share_of_steps_saved": 1 - halved.steps / grid.steps,
        "train_seconds_of_all_points": grid.train_seconds,
        "train_seconds_with_halving": halved.train_seconds,
        "wall_seconds_of_all_points": grid.seconds,
        "wall_seconds_with_halving": halved.seconds,
        "methods_with_the_same_best_point": sum(same),
        "same_winner": int(grid.recommended == halved.recommended),
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = RealProject.copied_to(Path(folder))
        record("halving", figures(run(project, "whole", "grid"), run(project, "halved", HALVING)))


if __name__ == "__main__":
    main()
