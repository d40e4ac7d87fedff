"""What the workflow adds to each job: studies with stub engines, whose work takes milliseconds, on two cores.

A hundred runs from the command to the report, and of a thousand the first jobs, when most are still to be scheduled.
"""

import argparse
import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks.plan import LONGEST_SECONDS, start, write_study
from benchmarks.record import record
from tests.workflow.conftest import Project, new_project

WHOLE, LARGE = 100, 1_000
FIRST_JOBS = 300


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=FIRST_JOBS, help="of the large study (default: %(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        project = new_project(Path(folder) / "project")
        seconds, jobs = whole(project)
        figures = {f"jobs_of_{WHOLE}_runs": jobs, f"seconds_per_job_of_{WHOLE}_runs": seconds / jobs}
        first = first_jobs(project, options.jobs) / options.jobs
        record("overhead", figures | {"jobs_counted": options.jobs, f"seconds_per_job_among_{LARGE}_runs": first})


def whole(project: Project) -> tuple[float, int]:
    """Seconds of a study, with Snakemake's start, data and report, and how many jobs of runs it has."""
    study = write_study(project, WHOLE)
    started = time.monotonic()
    if start(project).wait():
        raise SystemExit(f"a study of {WHOLE} runs failed")
    seconds = time.monotonic() - started
    stages = ("train", "merge", "throughput", "scores", "drift")
    return seconds, sum(len(list(study.glob(f"runs/*/*/{stage}.json"))) for stage in stages)


def first_jobs(project: Project, jobs: int) -> float:
    """Seconds from the first training to the last of so many after it; what is running then is stopped."""
    trained = write_study(project, LARGE) / "runs"
    process = start(project)
    try:
        begun = time_of(trained, 1)
        return time_of(trained, 1 + jobs) - begun
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


def time_of(runs: Path, trainings: int) -> float:
    """When so many have ended."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while len(list(runs.glob("*/*/train.json"))) < trainings:
        if time.monotonic() > deadline:
            raise SystemExit(f"not {trainings} trainings within {LONGEST_SECONDS} s")
        time.sleep(0.1)
    return time.monotonic()


if __name__ == "__main__":
    main()
