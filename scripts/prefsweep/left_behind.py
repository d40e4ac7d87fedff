"""Stages that outlived their call, as when Snakemake gets SIGKILL: they are ended before new ones start.

They hold the devices and write into their runs' folders, while whatever they finish counts as incomplete.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path

import psutil

from prefsweep.lifetime import Running, is_held

_FOLDERS = ("runs/*/seed-*", "runs/*/seed-*/rung-*", "rivals")
_STOP_SECONDS = 10.0
_POLL_SECONDS = 0.1


def end_left_behind(study: Path) -> list[Running]:
    """End every stage that runs on this machine in a study which no other call works on; returns them.

    SIGTERM first, which a stage records as its failure; what is left after 10 s gets SIGKILL, with all it has started.
    A stage in another container or on another machine is not within reach: who needs its run waits for it.
    """
    ended = []
    for file, stage in _running(study):
        if process := _holder(file, stage):
            ended.append(stage)
            with suppress(psutil.NoSuchProcess):
                process.terminate()
            if not _let_go(file):
                _kill(process)
                _let_go(file)
    return ended


def _running(study: Path) -> Iterator[tuple[Path, Running]]:
    for file in chain.from_iterable(study.glob(f"{folder}/running-*.json") for folder in _FOLDERS):
        if is_held(file):
            try:
                yield file, Running.read(file)
            except (OSError, ValueError):  # it has just ended, or says nothing of itself
                continue


def _holder(file: Path, stage: Running) -> psutil.Process | None:
    """The process, if it is one of this machine, seen from here under the same number: it has the very file open."""
    try:
        process = psutil.Process(stage.pid)
        opened = {Path(one.path) for one in process.open_files()}
    except psutil.Error:
        return None
    return process if stage.on_this_kernel() and file.resolve() in opened else None


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        for member in (*process.children(recursive=True), process):
            with suppress(psutil.NoSuchProcess):
                member.kill()


def _let_go(file: Path) -> bool:
    deadline = time.monotonic() + _STOP_SECONDS
    while file.exists() and is_held(file):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
