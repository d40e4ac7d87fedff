"""Calls of Snakemake in the background, and what they start: real processes, to be sent real signals."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from prefsweep.lifetime import Running, is_held
from tests.workflow.conftest import HANGING_SECONDS, Project

STUDY = """\
study: tiny
model: {path: base-model, model_type: llama, template: chatml}
dataset: emoji-en
device: cpu
methods:
  dpo: {beta: 0.1}
  orpo: {}
train: {batch_size: 16}
"""
LONG = "36000"
"""Seconds that a training lasts which is to be stopped."""


def started(project: Project, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Snakemake on the project's study, in a session of its own."""
    command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", "study.yaml"]
    with (project.directory / "output").open("a") as said:
        return subprocess.Popen(
            command,
            cwd=project.directory,
            env=os.environ | project.environment | environment,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


@contextmanager
def called(project: Project, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """The same on one core; nothing of it is left when the block ends."""
    call = started(project, *arguments, "--cores", "1", **environment)
    try:
        yield call
    finally:
        family = [process for process in psutil.process_iter() if _session(process) == call.pid]
        for process in family:
            process.kill()
        call.wait()


def _session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None


def output(project: Project) -> str:
    """What calls in the background have said."""
    return (project.directory / "output").read_text()


def awaited(what: Callable[[], object]) -> float:
    """Seconds until something is so."""
    started = time.monotonic()
    while not what():
        assert time.monotonic() - started < HANGING_SECONDS
        time.sleep(0.05)
    return time.monotonic() - started


def training(project: Project) -> Running:
    """The training that runs, as soon as one does and has said so."""
    found: list[Running] = []

    def running() -> bool:
        files = [file for file in project.study.glob("runs/*/*/running-train.json") if is_held(file)]
        found[:] = [Running.read(file) for file in files if file.exists() and file.stat().st_size]
        return bool(found)

    awaited(running)
    return found[0]


def stopped(call: subprocess.Popen[str], number: signal.Signals) -> tuple[float, float]:
    """Signal a call that trains; seconds until no job of it is alive, and until it has ended."""
    jobs = psutil.Process(call.pid).children(recursive=True)
    started = time.monotonic()
    call.send_signal(number)
    awaited(lambda: not any(map(alive, jobs)))
    quiet = time.monotonic() - started
    call.wait(HANGING_SECONDS)
    return quiet, time.monotonic() - started


def alive(process: psutil.Process) -> bool:
    """Whether it still runs; one that only waits for its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def caller(project: Project) -> dict[str, object]:
    """`caller.json` of the study."""
    found: dict[str, object] = json.loads((project.study / "logs" / "caller.json").read_text())
    return found


def finished(folder: Path) -> dict[str, bytes]:
    """What is finished below a folder: its records."""
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.glob("runs/*/*/train.json")}
