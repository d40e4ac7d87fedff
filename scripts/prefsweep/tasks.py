"""Which lm-eval tasks a study names: files of this project, or lm-eval's own names."""

from pathlib import Path


def task_files(names: list[str], directory: Path) -> list[str]:
    """The file of each task in `directory`; a name without one is left to lm-eval."""
    files = {name: directory / f"{name}.yaml" for name in names}
    return [str(path) if path.is_file() else name for name, path in files.items()]
