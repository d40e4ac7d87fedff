"""A data set's rows in memory, each with its id, its prompt's cluster and its place in the user's file."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from prefsweep.dataset import DatasetFiles, DatasetSpec
from prefsweep.examples import Reading
from prefsweep.failures import StageError
from prefsweep.formats import Content, Example, refuse_special_tokens
from prefsweep.rows import Problems, RowProblem
from prefsweep.splitting import cluster_of, row_ids


@dataclass(frozen=True, slots=True)
class Entry:
    """An example that is known by its content."""

    id: str
    cluster: str
    repeated: bool
    """Whether an earlier row has exactly this content."""
    path: Path
    example: Example

    @property
    def place(self) -> str:
        return f"{self.path}:{self.example.line}"


@dataclass(frozen=True)
class Entries:
    """All rows of a data set, checked."""

    content: Content
    """What the training rows are: `pairs`, or `labelled`."""
    training: list[Entry]
    heldout: list[Entry]
    """Rows of the held-out file; empty when a share of `training` is to be held out."""
    showcase: list[Entry]
    explanations: list[str]
    """What each file was read as."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Reason → rows left out on reading because the data set says so."""


def training_readings(spec: DatasetSpec, files: DatasetFiles, problems: Problems) -> list[Reading]:
    """A reading per training file. Iterate them, then ask `content_of`."""
    accepted: tuple[Content, ...] = ("pairs", "labelled")
    return [Reading(path, accepted, problems, spec.columns, spec.delete) for path in files.training]


def heldout_readings(spec: DatasetSpec, files: DatasetFiles, problems: Problems) -> list[Reading]:
    """The reading of the held-out file, if the data set has one."""
    accepted: tuple[Content, ...] = ("pairs",)
    paths = [files.heldout] if files.heldout else []
    return [Reading(path, accepted, problems, spec.columns, spec.delete) for path in paths]


def content_of(readings: Iterable[Reading]) -> Content:
    """What the training files hold, once they have been read. Raises StageError when they disagree."""
    found = {reading.format.content: reading for reading in readings if reading.format}
    if len(found) > 1:
        what = "; ".join(reading.explanation for reading in found.values())
        raise StageError("data", f"training files of different kinds: {what}", "Use one kind of rows.")
    return next(iter(found))


def read_entries(spec: DatasetSpec, files: DatasetFiles, problems: Problems) -> Entries:
    """Read and check every row. Raises StageError of class `data` that lists every problem."""
    training_files = training_readings(spec, files, problems)
    heldout_files = heldout_readings(spec, files, problems)
    training = list(_identified((reading.path, row) for reading in training_files for row in reading))
    heldout = list(_identified((reading.path, row) for reading in heldout_files for row in reading))
    showcase_files, prompts = read_showcase(spec, files, problems)
    showcase = list(_identified(prompts))
    problems.raise_if_any()
    return Entries(
        content=content_of(training_files),
        training=training,
        heldout=heldout,
        showcase=showcase,
        explanations=[reading.explanation for reading in training_files + heldout_files + showcase_files],
    )


def _identified(rows: Iterable[tuple[Path, Example]]) -> Iterator[Entry]:
    placed = list(rows)
    ids = row_ids(example for _, example in placed)
    for (path, example), (name, repeated) in zip(placed, ids, strict=True):
        yield Entry(name, cluster_of(example.messages), repeated, path, example)


def read_showcase(
    spec: DatasetSpec, files: DatasetFiles, problems: Problems
) -> tuple[list[Reading], list[tuple[Path, Example]]]:
    """The prompts to show side by side: a file's, which come with its reading, or the dataset's own list."""
    if files.showcase:
        reading = Reading(files.showcase, ("prompts", "pairs"), problems, {}, spec.delete)
        return [reading], [(reading.path, Example(row.line, row.messages)) for row in reading]
    listed = spec.showcase if isinstance(spec.showcase, list) else []
    return [], [(Path("showcase"), _typed(index, text, problems)) for index, text in enumerate(listed, 1)]


def _typed(index: int, text: str, problems: Problems) -> Example:
    try:
        refuse_special_tokens(text, "prompt")
    except RowProblem as problem:
        problems.add(problem.kind, Path("showcase"), index, str(problem))
    return Example(index, [{"role": "user", "content": text}])
