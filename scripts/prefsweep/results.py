"""Everything a study left on disk, read once: the plan, and for each planned run whatever records exist.

A run that failed, or has not finished, is still here: the report shows it as a row, never as a gap.
"""

import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal, TypeVar

from prefsweep.admission import left_empty
from prefsweep.against_base import with_rewards
from prefsweep.drifted import Drifted, with_drift
from prefsweep.failures import Failure, silent_death, unreadable
from prefsweep.judged import Judged, with_win_rate
from prefsweep.judged_rivals import JudgedRivals
from prefsweep.lifetime import is_held
from prefsweep.plan import BASE, Plan, Point, Run, run_directory
from prefsweep.records.audit import DataAudit
from prefsweep.records.base import Record, read_document
from prefsweep.records.data import Half, HeldOutPrompt
from prefsweep.records.judge import JudgedPair, JudgeRecord
from prefsweep.records.measure import Evaluation, Generation, Throughput, TimedPass
from prefsweep.records.merge import MergeRecord
from prefsweep.records.score import Scores
from prefsweep.records.screening import Screening
from prefsweep.records.train import TrainRecord
from prefsweep.records.traits import DataTraits
from prefsweep.rewarded import Rewarded, with_reward_model
from prefsweep.score_table import ScoreTable
from prefsweep.screening import decisions, stopped_points

Status = Literal["finished", "failed", "stopped", "unfinished"]
STAGES = ("prepare", "train", "merge", "measure", "score", "drift", "judge", "reward", "compare")

LATENCIES = ("ttft", "tpot", "itl", "e2e")
PERCENTILES = ("p50", "p95", "p99")
SERVING_COLUMNS = (
    "output_tokens_per_second",
    "requests_per_second",
    *(f"{latency}_{percentile}_seconds" for latency in LATENCIES for percentile in PERCENTILES),
)

_T = TypeVar("_T")
_R = TypeVar("_R", bound=Record)


@dataclass(frozen=True)
class RunResults:
    """One planned run and its records; None where a stage has not left one."""

    run: Run
    point: Point
    provenance: dict[str, Any] | None = None
    """`run.json` as plain values."""
    train: TrainRecord | None = None
    merge: MergeRecord | None = None
    throughput: Throughput | None = None
    evaluation: Evaluation | None = None
    """Without `pairs`, whose numbers are in the scores."""
    scores: ScoreTable | None = None
    answers: Path | None = None
    """`generations.jsonl`, every row of which was found to be an answer."""
    judged: Judged = field(default_factory=Judged)
    """What its answers are next to the base's; `scores` have it as a metric."""
    drifted: Drifted = field(default_factory=Drifted)
    """How far its answers are from the base; `scores` have it as metrics."""
    rewarded: Rewarded = field(default_factory=Rewarded)
    """What a reward model gives its answers; `scores` have it as a metric."""
    failures: tuple[Failure, ...] = ()
    """In the order of the stages, without those that take nothing else from a run: judging, drift, rewarding."""
    stopped: bool = False
    """Its point was behind in screening."""

    @property
    def status(self) -> Status:
        """Finished means that every record its kind of run must have is there."""
        if self.failures:
            return "failed"
        if self.stopped:
            return "stopped"
        needed: list[object] = [self.merge, self.throughput, self.evaluation, self.scores, self.answers]
        if self.point.method != BASE:
            needed.append(self.train)
        return "unfinished" if any(record is None for record in needed) else "finished"

    def generations(self) -> Iterator[Generation]:
        """The answers, read again each time: most of a study's bytes are theirs, and few are looked at."""
        return Generation.read_rows(self.answers) if self.answers else iter(())

    @property
    def prompt_scores(self) -> dict[str, dict[str, float]]:
        """Prompt → metric → value, empty when the run has no scores."""
        return self.scores.by_prompt() if self.scores else {}

    @property
    def losses(self) -> list[float]:
        """The logged losses that are numbers, by step."""
        history = self.train.history if self.train else []
        return [step.loss for step in history if step.loss is not None and math.isfinite(step.loss)]

    @property
    def peak_memory_bytes(self) -> int | None:
        """The highest peak of any stage."""
        records = (self.train, self.merge, self.throughput, self.drifted.record)
        return max((record.peak_memory_bytes for record in records if record), default=None)

    def mean_metric(self, metric: str, half: Half | None = None) -> float | None:
        """Mean of a metric over the held-out prompts that have it; both halves unless one is named."""
        return self.scores.mean(metric, half) if self.scores else None

    def passes(self, concurrency: int) -> list[TimedPass]:
        """The timed passes at one concurrency, by repeat."""
        return [p for p in self.throughput.passes if p.concurrency == concurrency] if self.throughput else []

    def serving(self, concurrency: int) -> dict[str, float]:
        """`SERVING_COLUMNS` at one concurrency, the median over repeats; empty if it was not timed."""
        passes = self.passes(concurrency)
        if not passes:
            return {}
        return {column: median(_timing(one, column) for one in passes) for column in SERVING_COLUMNS}


@dataclass(frozen=True)
class StudyResults:
    """A study as far as it got."""

    directory: Path
    plan: Plan
    runs: tuple[RunResults, ...]
    """In the plan's order."""
    prompts: tuple[HeldOutPrompt, ...] = ()
    """Showcase and held-out prompts, in the order of `heldout.jsonl`."""
    audit: DataAudit | None = None
    """None before the data were prepared, by this version of the audit."""
    traits: DataTraits | None = None
    screenings: tuple[Screening, ...] = ()
    """What was decided at each rung, as far as it stands."""
    rivals: JudgedRivals = field(default_factory=JudgedRivals)

    @property
    def stops(self) -> dict[str, str]:
        """Point that was stopped → why, in a clause."""
        return {point: why for screening in self.screenings for point, why in stopped_points(screening).items()}

    def of_point(self, point: str) -> tuple[RunResults, ...]:
        """The runs of one point, by seed as planned."""
        return tuple(run for run in self.runs if run.run.point == point)

    def with_status(self, status: Status) -> tuple[RunResults, ...]:
        """The runs with this status, in the plan's order."""
        return tuple(run for run in self.runs if run.status == status)


def read_study(directory: Path) -> StudyResults:
    """Read `results/<study>/`. Raises FileNotFoundError without a plan, ValueError when it is not ours.

    A run's record that cannot be read makes that run failed, with the file named; it never stops the others.
    """
    plan = Plan.read(directory / "plan.json")
    heldout = directory / "data" / "heldout.jsonl"
    screenings = decisions(directory, plan)
    stopped = {point for screening in screenings for point in stopped_points(screening)}
    runs = [_read_run(directory, plan, run, stopped=run.point in stopped) for run in plan.runs]
    scores = {
        run.run.id: with_reward_model(with_drift(run.scores, plan, run.drifted), run.rewarded)
        for run in runs
        if run.scores
    }
    scores = with_rewards(plan, scores)
    return StudyResults(
        directory=directory,
        plan=plan,
        runs=tuple(replace(run, scores=scores.get(run.run.id)) for run in runs),
        prompts=tuple(HeldOutPrompt.read_rows(heldout)) if heldout.exists() else (),
        audit=_of_the_data(DataAudit, directory / "data" / "data.json"),
        traits=_of_the_data(DataTraits, directory / "data" / "traits.json"),
        screenings=tuple(screenings),
        rivals=JudgedRivals.read(directory, plan),
    )


def _of_the_data(record: type[_R], path: Path) -> _R | None:
    try:
        return record.read(path)
    except (OSError, ValueError):
        return None


def _read_run(directory: Path, plan: Plan, run: Run, *, stopped: bool) -> RunResults:
    folder = run_directory(directory, run.id)
    failed: list[Failure] = []

    def read(name: str, reader: Callable[[Path], _T | None]) -> _T | None:
        try:
            there = (folder / name).exists() and not left_empty(folder / name)
            return reader(folder / name) if there else None
        except (ValueError, TypeError, OSError) as error:
            failed.append(unreadable(run.id, name, "the run's folder", error))
            return None

    failures = {path.stem.partition("-")[2]: read(path.name, Failure.read) for path in folder.glob("failure-*.json")}
    for path in folder.glob("running-*.json"):
        if not is_held(path):
            failures.setdefault(
                path.stem.partition("-")[2], read(path.name, lambda file: silent_death(file, plan.study))
            )
    judge_failure, drift_failure, reward_failure = (failures.pop(stage, None) for stage in ("judge", "drift", "reward"))
    judged = Judged.of(
        plan,
        read("judge.json", JudgeRecord.read),
        read("judged.jsonl", lambda path: tuple(JudgedPair.read_rows(path))),
        judge_failure,
    )
    return RunResults(
        run=run,
        point=plan.point_of(run.id),
        provenance=read("run.json", read_document),
        train=read("train.json", TrainRecord.read),
        merge=read("merge.json", MergeRecord.read),
        throughput=read("throughput.json", Throughput.read),
        evaluation=read("evaluation.json", lambda path: Evaluation.read(path).model_copy(update={"pairs": []})),
        scores=read("scores.json", lambda path: ScoreTable.of(with_win_rate(Scores.read(path), plan, judged))),
        answers=read("generations.jsonl", _checked_answers),
        judged=judged,
        drifted=Drifted.read(folder, plan, drift_failure),
        rewarded=Rewarded.read(folder, plan, reward_failure),
        failures=tuple(sorted([f for f in failures.values() if f] + failed, key=_stage_order)),
        stopped=stopped,
    )


def _timing(timed: TimedPass, column: str) -> float:
    if column.endswith("_per_second"):
        return float(getattr(timed, column))
    latency, percentile, _ = column.split("_")
    return float(getattr(getattr(timed, latency), f"{percentile}_seconds"))


def _checked_answers(path: Path) -> Path:
    deque(Generation.read_rows(path), maxlen=0)
    return path


def _stage_order(failure: Failure) -> tuple[int, str]:
    known = failure.stage in STAGES
    return (STAGES.index(failure.stage) if known else len(STAGES), failure.stage)
