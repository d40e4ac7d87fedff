"""From a study file to its plan: everything resolved, checked and counted before anything is spent."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefsweep.checking import check_once
from prefsweep.code import code_revision
from prefsweep.contaminations import known_contaminations
from prefsweep.data_files import source_revision
from prefsweep.dataset import DatasetSpec, SpecError, load_dataset_spec
from prefsweep.estimate import Estimator
from prefsweep.experience import Experience
from prefsweep.failures import StageError
from prefsweep.host import device_for
from prefsweep.methods import Method, load_methods
from prefsweep.model_files import validate_model_directory
from prefsweep.model_size import size_of
from prefsweep.models import ModelSpec, load_model_spec, model_directory, model_revision
from prefsweep.notices import plan_notices
from prefsweep.plan import (
    BASE,
    GenerateSettings,
    Plan,
    PlannedData,
    PlannedModel,
    Point,
    Run,
    shared_precision,
)
from prefsweep.screening import rung_id
from prefsweep.search import halving_of
from prefsweep.settings import JOBS_PER_GPU
from prefsweep.study import StudyConfig, load_study
from prefsweep.study_problems import StudyError
from prefsweep.suitability import (
    check_halving,
    check_methods,
    check_number,
    check_parallel,
    check_primary_metric,
    check_tracking,
    measurable_tasks,
)
from prefsweep.sweep import Inputs, expand
from prefsweep.yaml_file import YamlError, load_yaml


@dataclass(frozen=True)
class Places:
    """Where things are: the project's root, the fetched models and data sets, the results."""

    root: Path
    models: Path
    downloads: Path
    results: Path

    @property
    def methods(self) -> Path:
        return self.root / "config" / "methods"

    @property
    def contaminations(self) -> Path:
        return self.root / "config" / "contaminations" / "public.yaml"

    @property
    def tasks(self) -> Path:
        return self.root / "config" / "tasks"


@dataclass(frozen=True)
class Study:
    """A study file, read, checked and expanded."""

    config: StudyConfig
    methods: dict[str, Method]
    model: ModelSpec
    dataset: DatasetSpec
    plan: Plan

    @property
    def jobs_per_gpu(self) -> int:
        """How many trainings may share a device; no part of any identity."""
        return int(getattr(self.config.train, JOBS_PER_GPU))

    @property
    def max_length(self) -> int:
        """The shortest `max_length` of any point: rows longer than that are dropped for all alike."""
        return min(int(point.settings["max_length"]) for point in self.plan.points if point.method != BASE)


def plan_study(file: Path, overrides: dict[str, Any], places: Places) -> Study:
    """Read a study file and everything it names. Raises ValueError or StageError that names file, line and remedy.

    Local data is read and checked row by row; data on a hub is checked when it has been fetched.
    """
    config, methods, model, dataset = _read(file, overrides, places)
    if model.path is not None:
        validate_model_directory(model_directory(model, places.models), model.allow_code)
    revision = source_revision(dataset)
    code = code_revision(places.root / "scripts" / "prepare.py")
    counts = check_once(dataset, places.downloads, revision, code)
    check_methods(file, config, methods, counts)
    check_primary_metric(file, config, counts)
    device = device_for(config.device)
    inputs = Inputs(f"{model.folder}@{model_revision(model)}", model.template, revision, device)
    points = expand(config, methods, inputs, counts.labels if counts else None)
    check_parallel(file, config, points, device)
    check_tracking(file, points, device)
    tasks = measurable_tasks(file, config, counts)
    notices = plan_notices(config, points, methods, counts)
    generate = GenerateSettings(**config.generate.model_dump())
    directory = model_directory(model, places.models)
    estimator = Estimator(
        methods=methods,
        counts=counts,
        data_revision=revision,
        size=size_of(directory),
        experience=Experience.below(places.results, model.name, device),
        generate=generate,
        device=device,
        base_precision=shared_precision(points),
    )
    runs = _runs(config, points, estimator)
    check_halving(file, config, methods, runs, points)
    check_number(file, config, runs, device)
    plan = Plan(
        study=config.study,
        device=device,
        primary_metric=config.primary_metric,
        seeds=config.seeds,
        smallest_effect=config.smallest_effect,
        model=PlannedModel(
            name=model.name,
            directory=_relative(directory, places.root),
            model_type=model.model_type,
            template=model.template,
            revision=model_revision(model),
            source=model.source,
            licence=model.licence,
        ),
        data=PlannedData(
            name=dataset.name,
            source=dataset.described_source,
            revision=revision,
            licence=dataset.licence,
            synthetic=dataset.synthetic,
            rows=counts.rows if counts else None,
            heldout_rows=counts.heldout_rows if counts else None,
        ),
        generate=generate,
        tasks=tasks,
        points=points,
        runs=runs,
        halving=halving_of(config.search),
        screening=_screening(config, points, runs, estimator),
        notices=[*notices, *known_contaminations(places.contaminations, dataset, tasks)],
    )
    return Study(config, methods, model, dataset, plan)


def planned_study(file: Path, overrides: dict[str, Any], places: Places) -> Study:
    """The study as already planned, for a job that perhaps runs on another machine; nothing is checked again.

    The device above all: where `auto` would be decided anew, a node with a GPU would compute a different study than
    the machine that sent it the job. Raises StageError without a plan.
    """
    config, methods, model, dataset = _read(file, overrides, places)
    plan = places.results / config.study / "plan.json"
    if not plan.is_file():
        remedy = "Jobs need the folder they were submitted from: put it on a file system that all nodes share."
        raise StageError("config", f"{plan} is not on this machine", remedy)
    return Study(config, methods, model, dataset, Plan.read(plan))


def check_still_planned(study: Study, file: Path, overrides: dict[str, Any], places: Places) -> None:
    """Data from a hub has just been fetched: refuse it where it asks for another plan than was made without seeing it.

    Raises ValueError when the study cannot run on it at all, StageError when the same command would now do other runs.
    """
    seen = plan_study(file, overrides, places).plan
    if (seen.points, seen.tasks) != (study.plan.points, study.plan.tasks):
        what = f"the data set {seen.data.name} has been fetched and changes what is planned"
        raise StageError("data", what, "Run the same command again: its plan now knows the data.")


def _read(
    file: Path, overrides: dict[str, Any], places: Places
) -> tuple[StudyConfig, dict[str, Method], ModelSpec, DatasetSpec]:
    """The study file and what it names. Raises ValueError that names file and line."""
    methods = load_methods(places.methods)
    config = load_study(file, overrides, methods)
    model = _named(file, "model", lambda: load_model_spec(config.model, places.root / "config" / "models"))
    dataset = _named(
        file,
        "dataset",
        lambda: load_dataset_spec(config.dataset, places.root / "config" / "datasets", Path.cwd()),
    )
    return config, methods, model, dataset


def _named(file: Path, key: str, load: Any) -> Any:
    """Load what a key of the study names; faults in the study's own text get its file and line."""
    try:
        return load()
    except YamlError:
        raise
    except SpecError as error:
        location, message = error.location, str(error)
    except ValueError as error:
        location, message = (), str(error).removeprefix(f"{key}: ")
    line = load_yaml(file).line_of((key, *location))
    raise StudyError([f"{file}:{line}: {key}: {message}"])


def _runs(config: StudyConfig, points: list[Point], estimator: Estimator) -> list[Run]:
    """Point × seed. The base has nothing to train: it needs more than one seed only where answers are sampled."""
    runs = []
    for point in points:
        seeds = config.seeds if point.method != BASE or config.generate.temperature > 0 else config.seeds[:1]
        estimate = estimator.of(point)
        runs += [Run(id=f"{point.id}/seed-{seed}", point=point.id, seed=seed, estimate=estimate) for seed in seeds]
    return runs


def _screening(config: StudyConfig, points: list[Point], runs: list[Run], estimator: Estimator) -> list[Run]:
    """Each rung of each point, with the first seed."""
    halving, seed = halving_of(config.search), config.seeds[0]
    whole = {run.point: run.estimate.steps or 0 for run in runs}
    screening = []
    for point in points if halving else []:
        steps = 0
        for rung, share in enumerate(halving.shares if halving and point.method != BASE else [], start=1):
            before, steps = steps, math.ceil(share * whole[point.id])
            estimate = estimator.of_rung(point, steps - before)
            name = rung_id(point.id, seed, rung)
            screening.append(Run(id=name, point=point.id, seed=seed, rung=rung, estimate=estimate))
    return screening


def _relative(path: Path, root: Path) -> str:
    return str(path.relative_to(root) if path.is_relative_to(root) else path)
