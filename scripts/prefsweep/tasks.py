"""Which lm-eval tasks a study names: files of this project, or lm-eval's own names."""

from pathlib import Path
from typing import Any

from prefsweep.task_settings import TaskSettings
from prefsweep.yaml_file import load_yaml


def located(tasks: list[TaskSettings], directory: Path) -> list[TaskSettings]:
    """The tasks by their file, where `directory` has one of that name; other names are left to lm-eval."""
    return [task.model_copy(update={"name": _file_or_name(task.name, directory)}) for task in tasks]


def _file_or_name(name: str, directory: Path) -> str:
    file = directory / f"{name}.yaml"
    return str(file) if file.is_file() else name


def task_documents(task: Path, root: Path) -> list[Path]:
    """The local files a task file evaluates on; none where it reads the study's held-out rows, or a hub's.

    Relative paths start at `root`, the project's.
    """
    return [root / name for name in _evaluated_files(load_yaml(task).value) if "://" not in name]


def brings_documents(task: str) -> bool:
    """Whether a task, a file or lm-eval's own name, evaluates on other documents than the study's held-out rows."""
    return is_elsewhere(task) or bool(_evaluated_files(load_yaml(Path(task)).value))


def is_elsewhere(task: str) -> bool:
    """Whether a task, a file or lm-eval's own name, evaluates on documents that are not on this machine."""
    if not task.endswith(".yaml"):
        return True
    configuration = load_yaml(Path(task)).value
    files = _evaluated_files(configuration)
    return any("://" in name for name in files) if files else configuration.get("dataset_path") != "json"


def _evaluated_files(configuration: dict[str, Any]) -> list[str]:
    files = (configuration.get("dataset_kwargs") or {}).get("data_files", [])
    if isinstance(files, dict):
        evaluated = [configuration.get(name) for name in ("test_split", "validation_split")]
        files = next((files[split] for split in evaluated if split in files), [])
    return files if isinstance(files, list) else [files]
