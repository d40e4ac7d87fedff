"""Looks on while a study is worked on: its records, reports and exit statuses, held against the engines' journal."""

import signal
from base64 import urlsafe_b64decode
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas

from prefsweep.files import sha256_of
from prefsweep.plan import BASE, Plan
from tests.journal import Event, Journal
from tests.workflow.conftest import Project

RECORDS = {
    "train": ("train.json",),
    "merge": ("merge.json",),
    "measure": ("generations.jsonl", "throughput.json", "evaluation.json"),
    "score": ("scores.json",),
}
WRONG = (
    "records_lost",
    "stages_done_again",
    "silent_successes",
    "wrong_statuses",
    "wrong_exit_statuses",
    "two_writers",
    "two_callers",
    "left_alive",
)
"""What must not happen even once."""


@dataclass
class Witness:
    """What was seen of one study since it began."""

    project: Project
    journal: Journal
    count: Counter[str]
    """Of `WRONG` and of `strikes_<kind>`."""
    runs_finished: int = 0
    """By the last report."""
    finished: bool = False
    """Whether nothing is left to do."""
    _kept: dict[Path, str] = field(default_factory=dict)
    """Complete record → its hash."""
    _stopped: bool = False
    """Whether a call was stopped or killed since the study began."""

    def runs(self) -> list[str]:
        """Every run of the study that was planned."""
        return [run.id for run in Plan.read(self.project.study / "plan.json").runs]

    def left(self) -> list[tuple[str, str]]:
        """Stage and run, of all that the engines have not done."""
        done = self.journal.done()
        planned = ((stage, run) for run in self.runs() for stage in ("train", "merge", "measure"))
        has = (place for place in planned if place[0] != "train" or not place[1].startswith(f"{BASE}-"))
        return [place for place in has if place not in done]

    def read(self) -> list[Event]:
        """What is new in the journal."""
        new = self.journal.read()
        for event in new:
            complete = all(self._path(event.run, name) in self._kept for name in RECORDS[event.stage])
            self.count["stages_done_again"] += event.what == "begun" and complete
            self.count["two_writers"] += event.what == "two writers"
            if event.what == "struck":
                self.count[f"strikes_{event.of}"] += 1
        return new

    def watch(self) -> None:
        """What was complete is what it was. A record is complete when no job of Snakemake's is at work on it."""
        incomplete = self._incomplete()
        found: dict[Path, str] = {}
        for name in (name for names in RECORDS.values() for name in names):
            for path in self.project.study.glob(f"runs/*/*/{name}"):
                with suppress(FileNotFoundError):  # of a job that has just failed
                    found[path] = sha256_of(path)
        incomplete |= self._incomplete()
        self.count["records_lost"] += sum(found.get(path) != digest for path, digest in self._kept.items())
        self._kept = {path: digest for path, digest in found.items() if path in self._kept or path not in incomplete}

    def _incomplete(self) -> set[Path]:
        """What Snakemake is at work on, or was when it was killed."""
        marks = self.project.directory / ".snakemake" / "incomplete"
        names = ("".join(part.removeprefix("@") for part in mark.relative_to(marks).parts) for mark in marks.rglob("*"))
        decoded = (urlsafe_b64decode(name + "=" * (-len(name) % 4)).decode(errors="replace") for name in names)
        return {self.project.directory / name for name in decoded}

    def judge(self, status: int, stop: signal.Signals | None, alive: set[int]) -> None:
        """A call has ended: its exit status, what was alive then, and the report that was made after that."""
        self.read()
        self.watch()
        self._stopped |= stop is not None
        table = pandas.read_csv(self.project.study / "report" / "runs.csv", keep_default_na=False)
        told = dict(zip(table["run"], table["status"], strict=True))
        for run in self.runs():
            right = self._right(run, alive)
            if told.get(run) not in right:
                print(f"{run} is told as {told.get(run)}, not as {right}: {self.journal.last.get(run)}", flush=True)
                self.count["wrong_statuses"] += 1
            self.count["silent_successes"] += told.get(run) == "finished" and "finished" not in right
        self.runs_finished = sum(value == "finished" for value in told.values())
        self.finished = status == 0
        expected = {0} if self.runs_finished == len(told) else {1}
        self.count["wrong_exit_statuses"] += status not in expected | ({-stop, 128 + stop} if stop else set())
        self.count["left_alive"] += len(alive) if stop != signal.SIGKILL else 0

    def _right(self, run: str, alive: set[int]) -> set[str]:
        """What a report may say of a run, by the journal.

        More than one thing where its process was ended as it took or left its folder, or was alive before the report.
        """
        last = self.journal.last.get(run)
        if last is None:
            return {"unfinished"}
        if last.what == "done":
            scores = self._path(run, "scores.json")
            if last.stage == "measure" and not scores.exists() and self._stopped:  # scoring keeps no journal
                return {"failed", "unfinished"}
            if last.stage != "measure" or not scores.exists():
                return {"unfinished"}
            return {"finished"} if scores in self._kept else {"finished", "unfinished"}
        return {"failed", "unfinished"} if last.what in ("asked", "ended") or last.pid in alive else {"failed"}

    def _path(self, run: str, name: str) -> Path:
        return self.project.study / "runs" / run / name
