"""Two trainings one after the other with all cores each, and at once with a share of them each, in turns."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean

from benchmarks.record import record
from benchmarks.sweep import MODELS
from prefsweep.environments import ensure
from prefsweep.records.train import TrainRecord
from tests.e2e.trainer import write_tiny_model
from tests.real_project import RealProject

STUDY = """\
study: {name}
model: {model}
dataset: emoji-en
device: cpu
seeds: [0, 1]
primary_metric: preference_margin_normalised
methods: {{dpo: }}
train: {{learning_rate: {rate}, lora_rank: 8, lora_alpha: 32, batch_size: 4, max_length: 512, precision: float32}}
"""
SHARED = """\
SHARED_CORES = f" --share-cores {workflow.cores}" if ON_THIS_CPU else ""
TRAIN_THREADS = 1 if ON_THIS_CPU else min(workflow.cores, 4)
"""
ALONE = """\
SHARED_CORES = ""
TRAIN_THREADS = workflow.cores
"""
"""Of rules/common.smk."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--turns", type=int, default=1, help="how often each way (default: %(default)s)")
    options = parser.parse_args()
    ensure(["train"], "cpu")
    with tempfile.TemporaryDirectory() as folder:
        ways: dict[str, RealProject] = {}
        for name in ("shared", "alone"):
            (Path(folder) / name).mkdir()
            ways[name] = RealProject.copied_to(Path(folder) / name)
        rules = ways["alone"].directory / "rules" / "common.smk"
        text = rules.read_text(encoding="utf-8")
        assert text.count(SHARED) == 1
        rules.write_text(text.replace(SHARED, ALONE), encoding="utf-8")
        for project in ways.values():
            write_tiny_model(project.directory / "model")
        figures = {"turns": float(options.turns)}
        for model in options.model:
            figures |= compared(model, ways, options.turns)
    record("cores", figures)


def compared(model: str, ways: dict[str, RealProject], turns: int) -> dict[str, float]:
    """Figures of one model, means over the turns."""
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for turn in range(turns):
        for way, project in ways.items():
            seconds[way].append(trained(project, model, f"{model}-{turn}"))
    means = {way: fmean(each) for way, each in seconds.items()}
    return {f"{model}_{way}_seconds": mean for way, mean in means.items()} | {
        f"{model}_times_faster": means["alone"] / means["shared"]
    }


def trained(project: RealProject, model: str, name: str) -> float:
    """Seconds until both seeds are trained, with Snakemake, data and engine. Raises SystemExit when it fails."""
    description, rate, _ = MODELS[model]
    study = STUDY.format(name=name, model=description, rate=rate)
    if (fetched := project.run(study, "prefetch")).returncode:
        sys.exit(fetched.output[-4000:])
    started = time.monotonic()
    finished = project.run(study, "--until", "train")
    seconds = time.monotonic() - started
    if finished.returncode:
        sys.exit(finished.output[-4000:])
    threads = {TrainRecord.read(file).threads for file in finished.directory.glob("runs/*/*/train.json")}
    print(f"{name}: {seconds:.0f} s with {threads} threads each", flush=True)
    return seconds


if __name__ == "__main__":
    main()
