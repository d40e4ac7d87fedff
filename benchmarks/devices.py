"""A sweep on one to eight GPUs that are simulated: how does its wall time fall with their number?

Real are the workflow, its jobs, and the locks by which they share devices. A training sleeps as long as its steps are
said to take, on a device that it holds alone; the other stages are stubs. All that is real is done by the cores of this
machine, which become the limit where many devices end their trainings at once.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy
from safetensors.numpy import save_file

from benchmarks.record import record
from prefsweep.plan import Plan
from tests.workflow.conftest import Project, new_project

DEVICES = (1, 2, 4, 8)
CORES = 4 * max(DEVICES)
"""That Snakemake is told of: a GPU job asks for four."""
STEP_SECONDS = 1.0
STUDY = """\
study: on-{devices}
model: {{path: base-model, model_type: llama, template: chatml}}
dataset: emoji-en
device: cuda
methods: {{dpo: , orpo: , simpo: , kto: , cpo: }}
train: {{batch_size: 16, epochs: [1, 2, 4]}}
"""
NVIDIA_SMI = """\
#!/bin/sh
case "$1" in
  *uuid*) seq 0 {last} | sed 's/.*/&, simulated-&/' ;;
  *) seq 0 {last} | sed 's/.*/simulated, none, 0 MiB/' ;;
esac
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = new_project(Path(folder) / "project")
        project.edit("rules/preflight.smk", "check_cuda(SHARED.plan.most_gpus)", "pass")  # no driver is simulated
        weights = {"layer.0": numpy.zeros((2048, 2048), numpy.float32)}  # enough for one epoch to differ from four
        save_file(weights, project.directory / "base-model" / "model.safetensors")
        walls: dict[int, float] = {}
        figures: dict[str, float] = {}
        for devices in DEVICES:
            walls[devices], trainings = on_devices(project, devices)
            least = max(sum(trainings) / devices, *trainings)
            figures |= {f"seconds_on_{devices}": walls[devices], f"least_seconds_on_{devices}": least}
            figures |= {f"times_faster_on_{devices}": walls[1] / walls[devices]}
        record("devices", {"trainings": len(trainings), "longest_training_seconds": max(trainings), **figures})


def on_devices(project: Project, devices: int) -> tuple[float, list[float]]:
    """Wall seconds of the whole study, and of each training on its device."""
    (project.directory / "study.yaml").write_text(STUDY.format(devices=devices))
    tools = project.directory / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "nvidia-smi").write_text(NVIDIA_SMI.format(last=devices - 1))
    (tools / "nvidia-smi").chmod(0o755)
    environment = os.environ | project.environment | {"STUB_STEP_SECONDS": str(STEP_SECONDS)}
    environment["PATH"] = f"{tools}:{environment['PATH']}"
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    command = [sys.executable, "-m", "snakemake", "--cores", str(CORES), "--resources", f"gpu={devices}"]
    command += ["--configfile", "study.yaml"]
    started = time.monotonic()
    ended = subprocess.run(command, cwd=project.directory, env=environment, capture_output=True, text=True, check=False)
    wall = time.monotonic() - started
    if ended.returncode:
        sys.exit(ended.stderr[-4000:])
    plan = Plan.read(project.directory / "results" / f"on-{devices}" / "plan.json")
    return wall, [STEP_SECONDS * run.estimate.steps for run in plan.runs if run.estimate.steps]


if __name__ == "__main__":
    main()
