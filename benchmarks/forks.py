"""Trainings and merges whose engine each job loads, and forked from a process that has loaded it once, in turns.

A tiny random model, which costs nothing but what is around it. What both ways leave must have the same bits.
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

from benchmarks.artefacts import compared
from benchmarks.record import record
from prefsweep.environments import ensure
from prefsweep.plan import Plan, run_directory
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from tests.e2e.trainer import write_tiny_model
from tests.real_project import RealProject

WAYS = {"loaded": "0", "forked": "1"}
"""Name → PREFSWEEP_FORKS."""
TURNS = 2
MADE = ("adapters", "steps", "merged_weights", "probes")
"""Kinds of artefacts that there are by then."""
STUDY = """\
study: {name}
model: {{path: model, model_type: llama, template: chatml}}
dataset: emoji-en
device: cpu
primary_metric: preference_margin_normalised
methods: {{dpo: , orpo: , kto: }}
train: {{learning_rate: 1.0e-2, batch_size: 16, max_length: 256, precision: float32}}
"""


def main() -> None:
    ensure(["train"], "cpu")
    with tempfile.TemporaryDirectory() as folder:
        project = RealProject.copied_to(Path(folder))
        write_tiny_model(project.directory / "model")
        turns = [(way, made(project, f"{way}-{turn}", WAYS[way])) for turn in range(TURNS) for way in WAYS]
        first, *others = [study for _, (_, study) in turns]
        found = [[compared(kind, first, other) for other in others] for kind in MADE]
    times = {way: [seconds for other, (seconds, _) in turns if other == way] for way in WAYS}
    figures = {f"{way}_{name}": fmean(one[name] for one in each) for way, each in times.items() for name in each[0]}
    results = sum(turned[0].parts for turned in found)
    alike = sum(min(one.equal_parts for one in turned) for turned in found)
    record("forks", figures | {"turns": TURNS, "results": results, "results_alike": alike})


def made(project: RealProject, name: str, forks: str) -> tuple[dict[str, float], Path]:
    """Seconds of a study up to its merged models, and its folder. Raises SystemExit when it fails."""
    study = STUDY.format(name=name)
    planned = project.run(study, "plan")
    runs = [run.id for run in Plan.read(planned.directory / "plan.json").runs]
    merged = [f"results/{name}/runs/{run}/merge.json" for run in runs]
    started = time.monotonic()
    finished = project.run(study, *merged, PREFSWEEP_FORKS=forks)
    whole = time.monotonic() - started
    if finished.returncode:
        sys.exit(finished.output[-4000:])
    folders = [run_directory(finished.directory, run) for run in runs]
    trained = [TrainRecord.read(path) for folder in folders if (path := folder / "train.json").exists()]
    merges = [MergeRecord.read(folder / "merge.json") for folder in folders]
    seconds = {
        "seconds": whole,
        "seconds_of_a_training_without_its_steps": fmean(one.total_seconds - one.train_seconds for one in trained),
        "seconds_of_a_merge": fmean(one.total_seconds for one in merges),
    }
    return seconds, finished.directory


if __name__ == "__main__":
    main()
