"""What a job of a Slurm cluster knows of itself."""

import os
import subprocess
import time

_ANSWER_SECONDS = 10
"""Slurm leaves a job 30 seconds (KillWait) between SIGTERM and SIGKILL, unless the site says otherwise."""


def job_id() -> str | None:
    """The job this process belongs to."""
    return os.environ.get("SLURM_JOB_ID")


def time_limit_reached() -> bool:
    """Whether Slurm ends this job because its time is up; False where nothing says so.

    Slurm 23.02 and later tell a job its end; an older one is asked why the job ends.
    """
    job, end = job_id(), os.environ.get("SLURM_JOB_END_TIME")
    if job is None:
        return False
    if end is not None:
        return time.time() >= float(end)
    command = ["squeue", "--noheader", f"--jobs={job}", "--format=%r"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return answer.stdout.strip() == "TimeLimit"
