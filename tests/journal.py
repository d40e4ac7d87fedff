"""What stub engines did, written down by themselves: the truth that prefsweep's records and reports are held against.

STUB_JOURNAL names the file. A stage of a run is `asked` of a process, has `begun` when the process holds the run,
`ended` when its records are there, and is `done` when its failure can no longer be told; or it is `struck`.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

import psutil

VARIABLE = "STUB_JOURNAL"
What = Literal["asked", "begun", "struck", "ended", "done", "two writers"]


class Event(NamedTuple):
    what: What
    stage: str
    run: str
    pid: int
    of: str
    """The kind of a strike; otherwise empty."""


def note(what: What, stage: str, run: str, of: str = "") -> None:
    """One line, which no other process's line can mix with; nothing where no journal is kept."""
    if path := os.environ.get(VARIABLE):
        with Path(path).open("ab", buffering=0) as stream:
            stream.write((json.dumps(Event(what, stage, run, os.getpid(), of)) + "\n").encode())


@contextmanager
def noted(stage: str, run: str) -> Iterator[None]:
    """A stage begins and ends; that another process writes into the run's folder meanwhile is noted.

    The lock is one of the journal's own, beside it, which ends with the process.
    """
    if VARIABLE not in os.environ:
        yield
        return
    with Path(f"{os.environ[VARIABLE]}-{run.replace('/', '-')}").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note("two writers", stage, run)
        note("begun", stage, run)
        yield
        note("ended", stage, run)


class Journal:
    """The journal as far as it was read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.events: list[Event] = []
        self.last: dict[str, Event] = {}
        """Run → the last of its events."""

    def read(self) -> list[Event]:
        """What is new."""
        lines = self.file.read_text().splitlines(keepends=True) if self.file.exists() else []
        new = [Event(*json.loads(line)) for line in lines[len(self.events) :] if line.endswith("\n")]
        self.events += new
        self.last |= {event.run: event for event in new}
        return new

    def done(self) -> set[tuple[str, str]]:
        """Stage and run, of each whose last event this is."""
        last = {(event.stage, event.run): event.what for event in self.events}
        return {place for place, what in last.items() if what == "done"}

    def ours(self) -> list[psutil.Process]:
        """Every process alive that was started with this journal in its environment, or by one that was."""
        return [process for process in psutil.process_iter() if _keeps(process, str(self.file))]


def _keeps(process: psutil.Process, file: str) -> bool:
    try:
        return process.environ().get(VARIABLE) == file
    except psutil.Error:  # it has just ended, or is not ours to look at
        return False
