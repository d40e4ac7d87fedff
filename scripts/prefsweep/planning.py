"""From a study file to its plan: everything resolved, checked and counted before anything is spent."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from prefsweep.asked import Asked, Places, check_folder, read_study_file
from prefsweep.checking import DatasetCounts, check_once
from prefsweep.code import code_revision
from prefsweep.contaminations import known_contaminations
from prefsweep.data_files import source_revision
from prefsweep.dataset import DatasetSpec
from prefsweep.detectable import planned_detectable
from prefsweep.estimate import Estimator
from prefsweep.experience import Experience
from prefsweep.failures import StageError
from prefsweep.files import from_root
from prefsweep.host import device_for
from prefsweep.judge_plan import Circumstances, planned_judge, served_judge
from prefsweep.methods import Method
from prefsweep.model_files import validate_model_directory
from prefsweep.model_size import size_of
from prefsweep.models import ModelSpec, model_directory, model_revision
from prefsweep.notices import plan_notices
from prefsweep.plan import (
    BASE,
    Device,
    GenerateSettings,
    Plan,
    PlannedData,
    PlannedModel,
    shared_precision,
)
from prefsweep.planned_judge import ServedJudge
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.planned_runs import planned_runs, screening_runs
from prefsweep.reward_model import planned_reward_model
from prefsweep.search import halving_of
from prefsweep.settings import JOBS_PER_GPU
from prefsweep.study import StudyConfig
from prefsweep.suitability import (
    check_halving,
    check_methods,
    check_number,
    check_parallel,
    check_primary_metric,
    check_tracking,
    check_wants,
    measurable_tasks,
)
from prefsweep.sweep import Inputs, expand
from prefsweep.task_checks import check_tasks
from prefsweep.task_index import index_file, kept_index


@dataclass(frozen=True)
class Study:
    """One model and one data set of a study file, read, checked and expanded."""

    config: StudyConfig
    methods: dict[str, Method]
    model: ModelSpec
    dataset: DatasetSpec
    plan: Plan
    judge: ModelSpec | None
    """The model that the study serves as its judge."""

    @property
    def models(self) -> list[ModelSpec]:
        """All that have to be in place before a job starts."""
        return [self.model, *([self.judge] if self.judge else [])]

    @property
    def jobs_per_gpu(self) -> int:
        """How many trainings may share a device; no part of any identity."""
        return int(getattr(self.config.train, JOBS_PER_GPU))

    @property
    def max_length(self) -> int:
        """The shortest `max_length` of any point: rows longer than that are dropped for all alike."""
        return min(int(point.settings["max_length"]) for point in self.plan.points if point.method != BASE)


@dataclass(frozen=True)
class _CheckedModel:
    spec: ModelSpec
    directory: Path
    revision: str


@dataclass(frozen=True)
class _CheckedData:
    spec: DatasetSpec
    revision: str
    counts: DatasetCounts | None
    """None until data on a hub have been fetched."""


def plan_studies(file: Path, overrides: dict[str, Any], places: Places) -> list[Study]:
    """Read a study file and everything it names: a study for each model on each data set.

    Local data is read and checked row by row; data on a hub is checked when it has been fetched. Raises ValueError or
    StageError that names file, line and remedy.
    """
    asked = read_study_file(file, overrides, places)
    check_folder(asked, places)
    device = device_for(asked.config.device)
    lm_evals = partial(kept_index, index_file(places.models, device))
    check_tasks(file, asked.config.evaluate, places.tasks, lm_evals)
    models = [_check_model(spec, places) for spec in asked.models]
    datasets = [_check_data(spec, places) for spec in asked.datasets]
    reward_model = planned_reward_model(asked.config.evaluate.reward_model, places.root)
    judge = _served_judge(asked, places)
    studies = [_plan(asked, model, data, device, places, reward_model, judge) for model in models for data in datasets]
    check_number(file, asked.config, [run for study in studies for run in study.plan.runs], device)
    return studies


def planned_studies(file: Path, overrides: dict[str, Any], places: Places) -> list[Study]:
    """The studies as already planned, for a job that perhaps runs on another machine; nothing is checked again.

    The device above all: where `auto` would be decided anew, a node with a GPU would compute a different study than
    the machine that sent it the job. Raises StageError without a plan.
    """
    asked = read_study_file(file, overrides, places)
    studies = []
    for model, dataset in product(asked.models, asked.datasets):
        config = asked.about(model, dataset)
        plan = places.results / config.study / "plan.json"
        if not plan.is_file():
            remedy = "Jobs need the folder they were submitted from: put it on a file system that all nodes share."
            raise StageError("config", f"{plan} is not on this machine", remedy)
        studies.append(Study(config, asked.methods, model, dataset, Plan.read(plan), asked.judge))
    return studies


def check_still_planned(studies: list[Study], file: Path, overrides: dict[str, Any], places: Places) -> None:
    """Data from a hub has just been fetched: refuse it where it asks for another plan than was made without seeing it.

    Raises ValueError when a study cannot run on it at all, StageError when the same command would now do other runs.
    """
    for study, now in zip(studies, plan_studies(file, overrides, places), strict=True):
        if (now.plan.points, now.plan.tasks) != (study.plan.points, study.plan.tasks):
            what = f"the data set {now.plan.data.name} has been fetched and changes what is planned"
            raise StageError("data", what, "Run the same command again: its plan now knows the data.")


def _check_model(spec: ModelSpec, places: Places) -> _CheckedModel:
    directory = model_directory(spec, places.models)
    if spec.path is not None:
        validate_model_directory(directory, spec.allow_code)
    return _CheckedModel(spec, directory, model_revision(spec))


def _served_judge(asked: Asked, places: Places) -> ServedJudge | None:
    settings = asked.config.evaluate.judge
    if settings is None or asked.judge is None:
        return None
    model = _check_model(asked.judge, places)
    return served_judge(settings, model.spec, model.directory, model.revision, places.root)


def _check_data(spec: DatasetSpec, places: Places) -> _CheckedData:
    revision = source_revision(spec)
    code = code_revision(places.root / "scripts" / "prepare.py")
    return _CheckedData(spec, revision, check_once(spec, places.downloads, revision, code))


def _plan(
    asked: Asked,
    model: _CheckedModel,
    data: _CheckedData,
    device: Device,
    places: Places,
    reward_model: PlannedRewardModel | None,
    judge: ServedJudge | None,
) -> Study:
    file, methods, counts = asked.file, asked.methods, data.counts
    config = asked.about(model.spec, data.spec)
    check_methods(file, config, methods, counts)
    check_primary_metric(file, config, counts)
    check_wants(file, config)
    inputs = Inputs(f"{model.spec.folder}@{model.revision}", model.spec.template, data.revision, device)
    points = expand(config, methods, inputs, counts.labels if counts else None)
    check_parallel(file, config, points, device)
    check_tracking(file, points, device)
    tasks = measurable_tasks(file, config, counts)
    notices = plan_notices(config, points, methods, counts)
    generate = GenerateSettings(**config.generate.model_dump(exclude={"slo"}))
    estimator = Estimator(
        methods=methods,
        counts=counts,
        data_revision=data.revision,
        size=size_of(model.directory),
        experience=Experience.below(places.results, model.spec.name, device),
        generate=generate,
        device=device,
        base_precision=shared_precision(points),
        kl_from_base=config.evaluate.kl_from_base,
    )
    runs = planned_runs(config, points, estimator)
    check_halving(file, config, methods, runs, points)
    plan = Plan(
        study=config.study,
        device=device,
        primary_metric=config.primary_metric,
        seeds=config.seeds,
        smallest_effect=config.smallest_effect,
        wants=config.wants,
        detectable=planned_detectable(config, len(points) - 1, counts, places.results),
        model=PlannedModel(
            name=model.spec.name,
            directory=from_root(model.directory, places.root),
            model_type=model.spec.model_type,
            template=model.spec.template,
            revision=model.revision,
            source=model.spec.source,
            licence=model.spec.licence,
        ),
        data=PlannedData(
            name=data.spec.name,
            source=data.spec.described_source,
            revision=data.revision,
            licence=data.spec.licence,
            synthetic=data.spec.synthetic,
            rows=counts.rows if counts else None,
            heldout_rows=counts.heldout_rows if counts else None,
            formats=counts.explanations if counts else [],
        ),
        generate=generate,
        service_level=config.generate.slo,
        price=config.cost,
        tasks=tasks,
        judge=planned_judge(config.evaluate.judge, judge, Circumstances(runs, counts, generate, device), places.root),
        kl_from_base=config.evaluate.kl_from_base,
        reward_model=reward_model,
        points=points,
        runs=runs,
        halving=halving_of(config.search),
        screening=screening_runs(config, points, runs, estimator),
        notices=[*notices, *known_contaminations(places.contaminations, data.spec, tasks)],
    )
    return Study(config, methods, model.spec, data.spec, plan, asked.judge)
