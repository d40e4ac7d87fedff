"""A study that meets with everything at once: stages that fail, calls that are stopped, killed and made twice.

Each call of Snakemake is the same command. What befalls which stage, and when a call is stopped, is drawn from a seeded
generator; what really happened is in the journal that the stub engines keep.
"""

import random
import shutil
import signal
import subprocess
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from tests.faults.calls import started, stopped
from tests.journal import VARIABLE, Journal
from tests.small_disk import small_disk
from tests.witness import Witness
from tests.workflow.conftest import Project, new_project

Disturbance = Literal["nothing", "SIGINT", "SIGTERM", "SIGKILL", "rival"]
STUDY = """\
study: tiny
model: {{path: base-model, model_type: llama, template: chatml}}
dataset: emoji-en
device: cpu
methods: {{dpo: , orpo: , simpo: , kto: , cpo: }}
train: {{learning_rate: [{rates}], batch_size: 16}}
evaluate: {{kl_from_base: false}}
"""
METHODS = 5
STALL_SECONDS = "3"
ONLY_IN = {"nan": "train", "dies": "measure"}
"""Strikes that one stage alone can meet with."""
STRIKES = ("memory", "killed", "hangs", "nan", "dies")
FILLS = "fills"
"""The strike that takes a disk of the study's own."""
_WATCH_SECONDS = 2.0
_LONGEST_SECONDS = 1800.0


@dataclass
class Soak:
    """One study, called again and again."""

    project: Project
    journal_file: Path
    chance: random.Random
    strikes: tuple[str, ...]
    count: Counter[str] = field(default_factory=Counter)
    """`calls`, `calls_<disturbance>`, `concurrent_starts`, and what the witness counts."""
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    witness: Witness = field(init=False)
    _deck: list[str] = field(default_factory=list)
    _disturbed: bool = False

    def __post_init__(self) -> None:
        self._plan()

    def begin_anew(self) -> None:
        """Forget all that was done, but not what was counted."""
        shutil.rmtree(self.project.study)
        self.journal_file.unlink()
        self._plan()

    def _plan(self) -> None:
        self.witness = Witness(self.project, Journal(self.journal_file), self.count)
        planned = self.project.snakemake("plan")
        assert planned.returncode == 0, planned.stdout

    def call(self, disturbance: Disturbance = "nothing", *, strikes: int = 0, after: int = 0, at_once: int = 1) -> None:
        """The same command once more, with so many strikes; it is disturbed after so many further events.

        Of several calls `at_once` one works, which is the one that is disturbed.
        """
        told = {VARIABLE: str(self.journal_file), "STUB_DISASTERS": " ".join(self._drawn(strikes))}
        told["PREFSWEEP_STALL_SECONDS"] = STALL_SECONDS
        report = self.project.study / "report" / "runs.csv"
        before = report.stat().st_mtime_ns if report.exists() else 0
        self.count["calls"] += 1
        call = self._at_work([started(self.project, "--cores", "2", **told) for _ in range(at_once)])
        self._wait(call, after if disturbance != "nothing" else None)
        if disturbance != "nothing" and call.poll() is None:
            self.count[f"calls_{disturbance}"] += 1
            self._disturb(call, disturbance, told)
        self._wait(call, None)
        alive = {process.pid for process in self.witness.journal.ours()}
        self._disturbed = call.returncode not in (0, 1)
        if call.returncode and (not report.exists() or report.stat().st_mtime_ns == before):
            self.project.snakemake("partial")  # which the call had no time for
        stop = signal.Signals[disturbance] if disturbance.startswith("SIG") else None
        self.witness.judge(call.returncode, stop, alive)

    def _drawn(self, number: int) -> Iterator[str]:
        """STUB_DISASTERS: each strikes another run, in a stage that it has not done; every kind comes in its turn."""
        left = self.witness.left()
        self.chance.shuffle(left)
        for _ in range(number):
            self._deck = self._deck or self.chance.sample(self.strikes, len(self.strikes))
            kind = self._deck.pop()
            place = next((place for place in left if ONLY_IN.get(kind) in (None, place[0])), None)
            if place:
                left = [other for other in left if other[1] != place[1]]
                yield ":".join((*place, kind))

    def _at_work(self, calls: list[subprocess.Popen[str]]) -> subprocess.Popen[str]:
        """The one that works, as soon as all the others are refused."""
        begun = time.monotonic()
        while len(calls) > 1:
            time.sleep(0.05)
            ended = [call for call in calls if call.poll() is not None]
            for call in ended[: len(calls) - 1]:
                calls.remove(call)
                self.count["concurrent_starts"] += 1
                self.count["two_callers"] += call.returncode != 2
                self.seconds["to_refuse_one_of_two_at_once"].append(time.monotonic() - begun)
        return calls[0]

    def _wait(self, call: subprocess.Popen[str], events: int | None) -> None:
        """Until so many events, if this is any number, or the call's end."""
        begun, watched, seen = time.monotonic(), time.monotonic(), 0
        while call.poll() is None and (events is None or seen < events):
            assert time.monotonic() - begun < _LONGEST_SECONDS
            time.sleep(0.05)
            new = self.witness.read()
            if new and self._disturbed:
                self.seconds["from_the_next_call_to_its_first_job"].append(time.monotonic() - begun)
                self._disturbed = False
            seen += len(new)
            if time.monotonic() - watched > _WATCH_SECONDS:
                self.witness.watch()
                watched = time.monotonic()

    def _disturb(self, call: subprocess.Popen[str], disturbance: Disturbance, told: dict[str, str]) -> None:
        time.sleep(self.chance.uniform(0, 0.5))  # events are where stages begin and end, and most time is between
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


@contextmanager
def soaked(folder: Path, runs: int, seed: int, disk_bytes: int) -> Iterator[Soak]:
    """A study of so many runs beside the base's, planned, on a small disk if one may be mounted; no process is left."""
    project, journal = new_project(folder / "project"), folder / "journal"
    rates = ", ".join(f"{1e-5 * (1 + number / 10):.7f}" for number in range(runs // METHODS))
    (project.directory / "study.yaml").write_text(STUDY.format(rates=rates))
    with small_disk(project.directory / "results", disk_bytes) as small:
        try:
            yield Soak(project, journal, random.Random(seed), (*STRIKES, FILLS) if small else STRIKES)
        finally:
            for process in Journal(journal).ours():
                process.kill()
