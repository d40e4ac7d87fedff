"""A study that meets with everything at once: stages that fail, calls that are stopped, killed and called twice.

Each call of Snakemake is the same command. What befalls which stage, and when a call is stopped, is drawn from a seeded
generator; what really happened is in the journal that the stub engines keep. Records, reports and exit statuses are
held against it after every call, and records meanwhile.
"""

import random
import signal
import subprocess
import time
from base64 import urlsafe_b64decode
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas

from prefsweep.files import sha256_of
from prefsweep.plan import BASE, Plan
from tests.faults.calls import started, stopped
from tests.journal import VARIABLE, Event, Journal
from tests.small_disk import small_disk
from tests.workflow.conftest import Project, new_project

Disturbance = Literal["nothing", "SIGINT", "SIGTERM", "SIGKILL", "rival"]
STUDY = """\
study: tiny
model: {{path: base-model, model_type: llama, template: chatml}}
dataset: emoji-en
device: cpu
methods: {{dpo: , orpo: , simpo: , kto: , cpo: }}
train: {{learning_rate: {rates}, batch_size: 16}}
evaluate: {{kl_from_base: false}}
"""
METHODS = 5
STALL_SECONDS = "3"
ONLY_IN = {"nan": "train", "dies": "measure"}
"""Strikes that one stage alone can meet with."""
STRIKES = ("memory", "killed", "hangs", "nan", "dies")
FILLS = "fills"
"""The strike that takes a disk of the study's own."""
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
_WATCH_SECONDS = 2.0
_LONGEST_SECONDS = 1800.0


@dataclass
class Soak:
    """One study, called again and again, and what came of it."""

    project: Project
    journal: Journal
    chance: random.Random
    strikes: tuple[str, ...]
    count: Counter[str] = field(default_factory=Counter)
    """`WRONG`, `calls`, `calls_<disturbance>`, `strikes_<kind>`."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    runs_finished: int = 0
    """By the last report."""
    finished: bool = False
    """Whether nothing is left to do."""
    _kept: dict[Path, str] = field(default_factory=dict)
    _deck: list[str] = field(default_factory=list)
    _disturbed: bool = False

    def call(self, disturbance: Disturbance = "nothing", *, strikes: int = 0, after: int = 0) -> None:
        """The same command once more, with so many strikes; it is disturbed after so many further events."""
        struck = " ".join(self._drawn(strikes))
        told = {VARIABLE: str(self.journal.file), "STUB_DISASTERS": struck, "PREFSWEEP_STALL_SECONDS": STALL_SECONDS}
        report = self.project.study / "report" / "runs.csv"
        before = report.stat().st_mtime_ns if report.exists() else 0
        self.count["calls"] += 1
        call = started(self.project, "--cores", "2", **told)
        self._wait(call, after if disturbance != "nothing" else None)
        if disturbance != "nothing" and call.poll() is None:
            self.count[f"calls_{disturbance}"] += 1
            self._disturb(call, disturbance, told)
        self._wait(call, None)
        self._disturbed = call.returncode not in (0, 1)
        if call.returncode and (not report.exists() or report.stat().st_mtime_ns == before):
            self.project.snakemake("partial")  # which the call had no time for
        self._check(call.returncode, disturbance)

    def _drawn(self, number: int) -> Iterator[str]:
        """STUB_DISASTERS: each strikes another run, in a stage that it has not done; every kind comes in its turn."""
        left = self.left()
        self.chance.shuffle(left)
        for _ in range(number):
            self._deck = self._deck or self.chance.sample(self.strikes, len(self.strikes))
            kind = self._deck.pop()
            place = next((place for place in left if ONLY_IN.get(kind) in (None, place[0])), None)
            if place:
                left = [other for other in left if other[1] != place[1]]
                yield ":".join((*place, kind))

    def left(self) -> list[tuple[str, str]]:
        """Stage and run, of all that the engines have not done."""
        planned = ((stage, run) for run in self.runs() for stage in ("train", "merge", "measure"))
        has = [place for place in planned if place[0] != "train" or not place[1].startswith(f"{BASE}-")]
        return sorted(set(has) - self.journal.done())

    def runs(self) -> list[str]:
        """Every run of the study that was planned."""
        return [run.id for run in Plan.read(self.project.study / "plan.json").runs]

    def _wait(self, call: subprocess.Popen[str], events: int | None) -> None:
        """Until so many events, if this is any number, or the call's end."""
        begun, watched, seen = time.monotonic(), time.monotonic(), 0
        while call.poll() is None and (events is None or seen < events):
            assert time.monotonic() - begun < _LONGEST_SECONDS
            time.sleep(0.05)
            new = self._read()
            if new and not seen and self._disturbed:
                self.seconds["from_the_next_call_to_its_first_job"].append(time.monotonic() - begun)
                self._disturbed = False
            seen += len(new)
            if time.monotonic() - watched > _WATCH_SECONDS:
                self._watch()
                watched = time.monotonic()

    def _disturb(self, call: subprocess.Popen[str], disturbance: Disturbance, told: dict[str, str]) -> None:
        if disturbance == "rival":
            begun = time.monotonic()
            rival = self.project.snakemake(**told)
            if rival.returncode == 2:
                self.seconds["to_refuse_a_second_caller"].append(time.monotonic() - begun)
            elif call.poll() is None:
                self.count["two_callers"] += 1
        elif disturbance == "SIGKILL":
            call.kill()
        else:
            quiet, over = stopped(call, signal.Signals[disturbance])
            self.seconds["from_a_stop_until_no_job_is_alive"].append(quiet)
            self.seconds["from_a_stop_until_the_call_has_ended"].append(over)

    def _read(self) -> list[Event]:
        """What is new in the journal: strikes are counted, and what must not be in it."""
        new = self.journal.read()
        for event in new:
            complete = all(self._path(event.run, name) in self._kept for name in RECORDS[event.stage])
            self.count["stages_done_again"] += event.what == "begun" and complete
            self.count["two_writers"] += event.what == "two writers"
            if event.what == "struck":
                self.count[f"strikes_{event.of}"] += 1
        return new

    def _watch(self) -> None:
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

    def _check(self, status: int, disturbance: Disturbance) -> None:
        """The report, the exit status and what is still alive, after a call."""
        self._read()
        self._watch()
        alive = {process.pid for process in self.journal.ours()}
        table = pandas.read_csv(self.project.study / "report" / "runs.csv", keep_default_na=False)
        told = dict(zip(table["run"], table["status"], strict=True))
        for run in self.runs():
            right = self._right(run, alive)
            self.count["wrong_statuses"] += told.get(run) not in right
            self.count["silent_successes"] += told.get(run) == "finished" and "finished" not in right
        self.runs_finished = sum(value == "finished" for value in told.values())
        finished = self.runs_finished == len(told)
        expected = {0} if finished else {1}
        if disturbance in ("SIGINT", "SIGTERM", "SIGKILL"):
            number = signal.Signals[disturbance]
            expected |= {-number, 128 + number}
        self.count["wrong_exit_statuses"] += status not in expected
        self.count["left_alive"] += len(alive) if disturbance != "SIGKILL" else 0
        self.finished = finished and status == 0

    def _right(self, run: str, alive: set[int]) -> set[str]:
        """What a report may say of a run, by the journal.

        More than one thing where its process was ended in one of the moments in which it takes or leaves its folder.
        """
        last = self.journal.last.get(run)
        if last is None:
            return {"unfinished"}
        if last.what == "done":
            scores = self._path(run, "scores.json")
            if last.stage != "measure" or not scores.exists():
                return {"unfinished"}
            return {"finished"} if scores in self._kept else {"finished", "unfinished"}
        if last.what in ("asked", "ended"):
            return {"failed", "unfinished"}
        return {"unfinished"} if last.pid in alive else {"failed"}

    def _path(self, run: str, name: str) -> Path:
        return self.project.study / "runs" / run / name


@contextmanager
def soaked(folder: Path, runs: int, seed: int, disk_bytes: int) -> Iterator[Soak]:
    """A study of so many runs beside the base's, planned, on a small disk if one may be mounted; no process is left."""
    project = new_project(folder / "project")
    rates = [round(1e-5 * (1 + number / 10), 8) for number in range(runs // METHODS)]
    (project.directory / "study.yaml").write_text(
        STUDY.format(rates=[f"{rate:.7f}" for rate in rates]).replace("'", "")
    )
    journal = Journal(folder / "journal")
    with small_disk(project.directory / "results", disk_bytes) as small:
        planned = project.snakemake("plan")
        assert planned.returncode == 0, planned.stdout
        try:
            yield Soak(project, journal, random.Random(seed), (*STRIKES, FILLS) if small else STRIKES)
        finally:
            for process in journal.ours():
                process.kill()
