"""Trainings and merges whose engine each job loads, and forked from a process that has loaded it once, in turns.

A tiny random model, which costs nothing but what is around it. What both ways leave must have the same bits.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from benchmarks.record import record
from prefsweep.environments import ensure
from prefsweep.files import sha256_of
from prefsweep.plan import Plan, run_directory
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from tests.e2e.trainer import write_tiny_model
from tests.real_project import RealProject

WAYS = {"loaded": "0", "forked": "1"}
"""Name → PREFSWEEP_FORKS."""
TURNS = 2
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
    results = [result for _, (_, result) in turns]
    times = {way: [seconds for other, (seconds, _) in turns if other == way] for way in WAYS}
    figures = {f"{way}_{name}": fmean(one[name] for one in found) for way, found in times.items() for name in found[0]}
    record("forks", figures | {"turns": TURNS, "results": len(results[0]), "results_alike": alike(results)})


def made(project: RealProject, name: str, forks: str) -> tuple[dict[str, float], dict[str, object]]:
    """Seconds, and everything that is no time or size in memory, of a study up to its merged models.

    Raises SystemExit with the last lines when it fails.
    """
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
    return seconds, dict(item for folder in folders for item in results(folder, finished.directory))


def results(folder: Path, study: Path) -> Iterator[tuple[str, object]]:
    """What a run left: hashes of its weights, probes, every logged value of every step."""
    name = str(folder.relative_to(study))
    for weights in folder.glob("*/*.safetensors"):
        yield f"{name}/{weights.parent.name}/{weights.name}", sha256_of(weights)
    yield f"{name}/probes", MergeRecord.read(folder / "merge.json").probes
    if (path := folder / "train.json").exists():
        for step in TrainRecord.read(path).history:
            yield f"{name}/step {step.step}", step.model_dump(exclude={"seconds"})


def alike(found: Sequence[Mapping[str, object]]) -> int:
    """How many results are the same in all turns of both ways."""
    return sum(all(other.get(name) == value for other in found) for name, value in found[0].items())


if __name__ == "__main__":
    main()
