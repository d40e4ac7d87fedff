"""Which lm-eval tasks a study names: files of this project, or lm-eval's own names."""

from pathlib import Path
from typing import Any

from prefsweep.yaml_file import load_yaml


def task_files(names: list[str], directory: Path) -> list[str]:
    """The file of each task in `directory`; a name without one is left to lm-eval."""
    files = {name: directory / f"{name}.yaml" for name in names}
    return [str(path) if path.is_file() else name for name, path in files.items()]


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
