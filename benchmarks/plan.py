"""What large sweeps cost before they cost anything: seconds and memory to plan them, seconds to the first job.

Planned by the command a user types, in a checkout of its own, with stub engines in place of the environments: no job
but the first is let run. A study's points are drawn, for five methods with five seeds.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.record import record
from tests.workflow.conftest import Project, new_project

SIZES = (100, 1_000, 10_000)
STARTED = 1_000
SEEDS = 5
METHODS = 5
STUDY = """\
study: runs-{runs}
model: {{path: base-model, model_type: llama, template: chatml}}
dataset: emoji-en
device: cpu
seeds: {seeds}
methods:
  dpo: {{beta: {{min: 0.01, max: 0.5, log: true}}}}
  orpo: {{lambda: {{min: 0.05, max: 0.5, log: true}}}}
  simpo: {{beta: [2.0, 2.5, 10.0], gamma_beta_ratio: {{min: 0.0, max: 1.0}}}}
  kto: {{beta: {{min: 0.01, max: 0.5, log: true}}}}
  cpo: {{beta: {{min: 0.01, max: 0.5, log: true}}}}
train: {{learning_rate: {{min: 1.0e-6, max: 1.0e-3, log: true}}, lora_rank: [4, 8, 16], batch_size: 16}}
search: {{random: {points}, seed: 0}}
max_runs: 20000
"""
LONGEST_SECONDS = 600


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = new_project(Path(folder) / "project")
        figures: dict[str, float] = {}
        for runs in SIZES:
            seconds, peak = planned(project, runs)
            figures |= {f"seconds_for_{runs}_runs": seconds, f"peak_memory_bytes_for_{runs}_runs": peak}
        figures["peak_memory_bytes"] = figures[f"peak_memory_bytes_for_{SIZES[-1]}_runs"]
        most, fewer = (figures[f"seconds_for_{runs}_runs"] for runs in SIZES[:0:-1])
        figures["times_longer_for_10_times_the_runs"] = most / fewer
        for runs in (SIZES[0], STARTED):
            figures[f"seconds_to_first_job_of_{runs}_runs"] = seconds_to_first_job(project, runs)
        record("plan", figures)


def write_study(project: Project, runs: int) -> Path:
    """A study of so many runs beside the base's one; returns its results folder."""
    text = STUDY.format(runs=runs, seeds=list(range(SEEDS)), points=runs // (SEEDS * METHODS))
    (project.directory / "study.yaml").write_text(text)
    return project.directory / "results" / f"runs-{runs}"


def start(project: Project, *targets: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "snakemake", *targets, "--cores", "2", "--configfile", "study.yaml"]
    environment = os.environ | project.environment
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        command, cwd=project.directory, env=environment, stdout=quiet, stderr=quiet, process_group=0
    )


def planned(project: Project, runs: int) -> tuple[float, int]:
    """Wall seconds of `snakemake plan`, and the peak memory of its largest process."""
    write_study(project, runs)
    started = time.monotonic()
    process = start(project, "plan")
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"planning {runs} runs failed")
    return time.monotonic() - started, usage.ru_maxrss * 1024


def seconds_to_first_job(project: Project, runs: int) -> float:
    """From the command to the first job's log; what is running then is stopped."""
    log = write_study(project, runs) / "logs" / "prepare.log"
    started = time.monotonic()
    process = start(project)
    try:
        while not log.exists():
            if process.poll() is not None or time.monotonic() - started > LONGEST_SECONDS:
                raise SystemExit(f"no job of {runs} runs started")
            time.sleep(0.05)
        return time.monotonic() - started
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


if __name__ == "__main__":
    main()
