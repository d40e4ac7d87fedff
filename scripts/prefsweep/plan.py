"""`plan.json`: every run a study consists of, before anything is spent. Stages look their run up here by id."""

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field

from prefsweep.files import sha256_of_json
from prefsweep.planned_judge import PlannedJudge
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.records.base import Record
from prefsweep.search import Halving
from prefsweep.settings import Price, ServiceLevel
from prefsweep.task_settings import Task

BASE = "base"
Device = Literal["cpu", "cuda"]
Stage = Literal["train", "merge", "measure", "drift"]
"""What a run consists of; scoring takes seconds and is not planned."""


class Point(Record):
    """A method with resolved hyperparameters; `base`, the untouched model, is a point like any other."""

    id: str
    """`<method>-<8 hex>`: a hash of the resolved settings, the model and the data."""
    method: str
    label: str
    """For people, such as `dpo β=0.1 lr=5e-05`; never part of the identity."""
    settings: dict[str, Any]
    """Canonical names and values: the method's knobs and the shared training settings. Empty for `base`."""
    objective: str
    """The loss that is minimised, with numbers filled in."""


class StageEstimate(Record):
    """What one stage of a run will cost."""

    stage: Stage
    seconds: float
    gpus: int
    """Devices the stage holds meanwhile; 0 on the CPU."""
    disk_bytes: int
    """What it leaves behind."""
    basis: Literal["finished runs", "first guess"]
    """Where the seconds come from: what was measured here, or a formula with documented constants."""


class Estimate(Record):
    """What a run will cost, as far as it can be known before it ran."""

    steps: int | None
    sequences: int | None
    """None while the number of rows is unknown."""
    tokens: int | None = None
    """That go through the policy while it is trained."""
    seconds: float | None
    """Of all stages; None while the model or the rows are unknown."""
    disk_bytes: int | None
    stages: list[StageEstimate] = Field(default_factory=list)

    @property
    def gpu_seconds(self) -> float:
        """Seconds × devices, of the stages that are known."""
        return sum(stage.seconds * stage.gpus for stage in self.stages)


class Run(Record):
    """A point × a seed."""

    id: str
    """`<point>/seed-<n>`, which is also its folder below `results/<study>/runs/`."""
    point: str
    seed: int
    rung: int | None = None
    """Of a run that only screens its point, the number of the rung it ends at."""
    estimate: Estimate


class PlannedModel(Record):
    """The base model, resolved."""

    name: str
    directory: str
    """Where its files are, relative to the project's root when they are below it."""
    model_type: str
    template: str
    """ms-swift's names of the architecture and the chat template."""
    revision: str
    """What pins its content: a hub revision or a SHA-256."""
    source: str
    licence: str | None

    def folder(self, root: Path) -> Path:
        """Where its files are on a machine that has the project at `root`."""
        return (root / self.directory).resolve()


class PlannedData(Record):
    """The preference data, resolved."""

    name: str
    source: str
    revision: str
    licence: str | None
    synthetic: bool
    rows: int | None
    heldout_rows: int | None
    """None until data from a hub has been fetched."""
    formats: list[str] = Field([])
    """What each file was read as."""


class GenerateSettings(Record):
    """How answers are generated and timed."""

    max_tokens: int
    temperature: float
    precision: Literal["float32", "bfloat16"] = "bfloat16"
    """Of the served weights and activations."""
    concurrency: list[int]
    repeats: int
    timed_tokens: int
    timed_requests: int
    tensor_parallel: int = 1
    """GPUs that serve a model together."""
    gpu_memory_utilization: float = 0.9
    """Share of a GPU's memory that the server takes for weights and cache."""
    enforce_eager: bool = False
    """Without CUDA graphs; on the CPU always."""

    def requests_of_a_pass(self, concurrency: int) -> int:
        """As many as can be under way at once, at least: fewer would time another concurrency than is said."""
        return max(self.timed_requests, concurrency)


class Detectable(Record):
    """The smallest difference to the base in the primary metric that the study would find with 80 % probability."""

    prompts: int | None = None
    """On the test half; None until data from a hub has been fetched."""
    effect: float | None = None
    """In the metric's unit; None while nothing is known of its spread."""
    effect_of_seeds_apart: float | None = None
    """The same where seeds differ, of an assumed effect with several seeds."""
    basis: Literal["finished runs", "assumption", "unknown"] = "unknown"


class Plan(Record):
    """A study, resolved and expanded."""

    study: str
    """Its folder below `results/`: the study's name, and of several models or data sets which of them it is about."""
    device: Device
    primary_metric: str
    seeds: list[int]
    smallest_effect: float
    """The smallest worthwhile difference in the primary metric; nothing smaller is called better or worse."""
    detectable: Detectable = Detectable()
    wants: list[str] = Field([])
    """Metrics of answers that the data is meant to change."""
    model: PlannedModel
    data: PlannedData
    generate: GenerateSettings
    service_level: ServiceLevel | None = None
    """The study's `generate.slo`, apart from what a measurement depends on."""
    price: Price | None = None
    tasks: list[Task]
    judge: PlannedJudge | None = None
    kl_from_base: bool = False
    """The study's `evaluate.kl_from_base`; false in plans from before there was one."""
    reward_model: PlannedRewardModel | None = None
    points: list[Point]
    runs: list[Run]
    halving: Halving | None = None
    screening: list[Run] = Field([])
    """What decides which points are trained to the end: each rung of each point, with the first seed."""
    notices: list[str]
    """What a reader should know before spending money: unequal budgets, values outside published ranges."""

    def digest(self) -> str:
        """A hash of all but the estimates, which change as runs finish."""
        estimates: dict[str, Any] = {key: {"__all__": {"estimate"}} for key in ("runs", "screening")}
        estimates |= {"detectable": True, "judge": {"estimate"}}
        return sha256_of_json(self.model_dump(mode="json", exclude=estimates))[:16]

    @cached_property
    def points_by_id(self) -> dict[str, Point]:
        return {point.id: point for point in self.points}

    @cached_property
    def runs_by_id(self) -> dict[str, Run]:
        return {run.id: run for run in (*self.runs, *self.screening)}

    @cached_property
    def runs_by_point(self) -> dict[str, list[Run]]:
        """Every point's runs, in the plan's order."""
        runs: dict[str, list[Run]] = {point.id: [] for point in self.points}
        for run in self.runs:
            runs[run.point].append(run)
        return runs

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy that finds its own points and runs, where pydantic's would keep what this one has looked up."""
        copied = super().model_copy(update=update, deep=deep)
        for index in ("points_by_id", "runs_by_id", "runs_by_point"):
            copied.__dict__.pop(index, None)
        return copied

    def point_of(self, run: str) -> Point:
        """The point a run belongs to. Raises KeyError for a run that is not in the plan."""
        return self.points_by_id[run.partition("/")[0]]

    def gpus(self, run: str) -> int:
        """How many GPUs (on the CPU, processes) train this run together."""
        return int(self.point_of(run).settings["gpus"])

    def last_step(self, run: str, steps: int) -> int:
        """The step at which a run ends, when a full run takes so many."""
        rung = self.run(run).rung
        return steps if rung is None or self.halving is None else math.ceil(self.halving.shares[rung - 1] * steps)

    def opponent(self, run: str) -> str:
        """The base's run that a run is compared with: of the same seed, or the only one. KeyError if there is none."""
        runs = {one.seed: one.id for one in self.runs if self.point_of(one.id).method == BASE}
        return next(iter(runs.values())) if len(runs) == 1 else runs[self.run(run).seed]

    @property
    def most_gpus(self) -> int:
        """How many GPUs the job that wants most of them wants."""
        training = (int(point.settings["gpus"]) for point in self.points if point.method != BASE)
        return max(self.generate.tensor_parallel, *training)

    def run(self, run: str) -> Run:
        """The run with this id, or the rung of one. Raises KeyError when the plan has none."""
        return self.runs_by_id[run]


def shared_precision(points: Iterable[Point]) -> str:
    """The base is exported in the precision its rivals were trained in; float32 if any of them was."""
    precisions = {point.settings["precision"] for point in points if point.method != BASE}
    return "float32" if "float32" in precisions else "bfloat16"


def run_directory(study_directory: Path, run: str) -> Path:
    """The folder of a run below `results/<study>/`."""
    return study_directory / "runs" / run
