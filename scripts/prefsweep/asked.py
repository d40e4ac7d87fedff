"""What a study file asks for: itself, checked, and the models and data sets it names."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from prefsweep.dataset import DatasetSpec, SpecError, load_dataset_spec
from prefsweep.methods import Method, load_methods
from prefsweep.models import ModelSpec, load_model_spec
from prefsweep.plan import Plan
from prefsweep.study import StudyConfig, load_study
from prefsweep.study_problems import StudyError
from prefsweep.yaml_file import Location, YamlError, load_yaml


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
    def replies(self) -> Path:
        """What judges said, of all studies: nothing is asked twice."""
        return self.results / ".judged"

    @property
    def rewards(self) -> Path:
        """What reward models gave, of all studies: nothing is scored twice."""
        return self.results / ".rewarded"

    @property
    def tracked(self) -> Path:
        """The MLflow store of all studies, unless the caller names a server."""
        return self.results / ".mlflow"

    @property
    def tasks(self) -> Path:
        return self.root / "config" / "tasks"


@dataclass(frozen=True)
class Asked:
    """A study file and what it names."""

    file: Path
    config: StudyConfig
    methods: dict[str, Method]
    models: list[ModelSpec]
    datasets: list[DatasetSpec]
    judge: ModelSpec | None
    """The model that the study serves as its judge."""

    @property
    def several(self) -> bool:
        """Whether the study lists its models or its data sets; then each pair of them has a folder of its own."""
        return isinstance(self.config.model, list) or isinstance(self.config.dataset, list)

    def about(self, model: ModelSpec, dataset: DatasetSpec) -> StudyConfig:
        """The study of one of the models on one of the data sets; its name is its folder below `results/`."""
        given = {}
        for key, position in (("model", self.models.index(model)), ("dataset", self.datasets.index(dataset))):
            value = getattr(self.config, key)
            given[key] = value[position] if isinstance(value, list) else value
        within = f"/{folder_name(model.name)}-on-{folder_name(dataset.name)}" if self.several else ""
        return self.config.model_copy(update={**given, "study": f"{self.config.study}{within}"})


def read_study_file(file: Path, overrides: dict[str, Any], places: Places) -> Asked:
    """The study file and what it names. Raises ValueError that names file and line."""
    methods = load_methods(places.methods)
    config = load_study(file, overrides, methods)
    known = places.root / "config"
    load_model = partial(load_model_spec, config_dir=known / "models")
    models = _named(file, ("model",), config.model, load_model)
    datasets = _named(
        file, ("dataset",), config.dataset, lambda given: load_dataset_spec(given, known / "datasets", Path.cwd())
    )
    judge = config.evaluate.judge
    judges = _named(file, ("evaluate", "judge", "serve"), judge.serve, load_model) if judge and judge.serve else []
    return Asked(file, config, methods, models, datasets, next(iter(judges), None))


_Spec = TypeVar("_Spec", bound=ModelSpec | DatasetSpec)


def _named(file: Path, key: Location, given: Any, load: Callable[[Any], _Spec]) -> list[_Spec]:
    """Load what a key of the study names, one or several; faults in the study's own text get its file and line."""
    several = isinstance(given, list)
    found: dict[str, _Spec] = {}
    for index, one in enumerate(given if several else [given]):
        place: Location = (*key, index) if several else key
        try:
            spec = load(one)
            if folder_name(spec.name) in found:
                raise SpecError((), f"{spec.name} is listed twice; remove one, or give one of them another `name:`")
        except YamlError:
            raise
        except SpecError as fault:
            raise _fault(file, (*place, *fault.location), key, str(fault)) from None
        except ValueError as fault:
            raise _fault(file, place, key, str(fault).removeprefix("model: ")) from None
        found[folder_name(spec.name)] = spec
    return list(found.values())


def _fault(file: Path, location: Location, key: Location, message: str) -> StudyError:
    return StudyError([f"{file}:{load_yaml(file).line_of(location)}: {'.'.join(map(str, key))}: {message}"])


def check_folder(asked: Asked, places: Places) -> None:
    """Refuse a study that had one model and data set: its runs are where the overview will be, and would be lost."""
    folder = places.results / asked.config.study
    if not asked.several or not (folder / "plan.json").is_file():
        return
    before = Plan.read(folder / "plan.json")
    inside = folder / f"{folder_name(before.model.name)}-on-{folder_name(before.data.name)}"
    key = "model" if isinstance(asked.config.model, list) else "dataset"
    where = f"{asked.file}:{load_yaml(asked.file).line_of((key,))}: {key}"
    moved = f"mv {folder} {folder}.one && mkdir {folder} && mv {folder}.one {inside}"
    what = f"{folder} is the study of one model and data set, and every pair is to have a folder of its own"
    raise StudyError([f"{where}: {what}; keep its runs by `{moved}`, or give this study another name"])


def overview_folder(study_directories: Sequence[Path]) -> Path | None:
    """The report folder above the studies of one file; None of one study, whose own report is all there is."""
    return study_directories[0].parent / "report" if len(study_directories) > 1 else None


def folder_name(name: str) -> str:
    """A model's or a data set's name as part of a path."""
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "unnamed"
