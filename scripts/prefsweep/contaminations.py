"""Public data sets known to hold a benchmark's prompts: `config/contaminations/public.yaml`, looked up for a study."""

from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prefsweep.dataset import DatasetSpec
from prefsweep.task_settings import TaskSettings
from prefsweep.wording import joined
from prefsweep.yaml_file import load_yaml


class Contamination(BaseModel):
    """Data sets, the lm-eval tasks whose prompts they hold, and who says so."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    datasets: list[str] = Field(min_length=1)
    """Ids on a hub."""
    tasks: list[str] = Field(min_length=1)
    """Patterns of lm-eval's task names."""
    what: str
    source: str


def known_contaminations(file: Path, dataset: DatasetSpec, tasks: list[TaskSettings]) -> list[str]:
    """A notice per entry that a study's data and tasks meet, found by the id on a hub or in the data's `source`.

    Raises ValueError that names the file when it is wrong.
    """
    try:
        entries = [Contamination.model_validate(entry) for entry in load_yaml(file).value["known"]]
    except (KeyError, ValidationError) as error:
        raise ValueError(f"{file}: {error}") from error
    origin = f"{dataset.id or ''} {dataset.source or ''}".split()
    notices = []
    for entry in entries:
        names = [name for name in entry.datasets if name in origin]
        met = [task.name for task in tasks if any(fnmatchcase(task.name, pattern) for pattern in entry.tasks)]
        if names and met:
            notices.append(f"{names[0]} is known to leak into {joined(met)}: {entry.what} ({entry.source}).")
    return notices
