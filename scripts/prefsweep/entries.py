"""A data set's rows in memory, each with its id, its prompt's cluster and its place in the user's file."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from prefsweep.chats import refuse_special_tokens
from prefsweep.containers import Progress
from prefsweep.data_files import DatasetFiles
from prefsweep.dataset import DatasetSpec
from prefsweep.examples import Reading, Treatment
from prefsweep.failures import StageError
from prefsweep.formats import Content, Example
from prefsweep.rows import Problems, RowProblem
from prefsweep.splitting import cluster_of, row_ids

_TRAINED: tuple[Content, ...] = ("pairs", "labelled")
_TESTED: tuple[Content, ...] = ("pairs",)


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
    dropped: dict[str, int]
    """Reason → rows that were left out because the data set says so: its policies and ratings."""


def training_readings(
    spec: DatasetSpec, files: DatasetFiles, problems: Problems, progress: Progress | None = None
) -> list[Reading]:
    """A reading per training file. Iterate them, then ask `content_of`."""
    treatment = _treatment(spec)
    return [Reading(path, _TRAINED, problems, treatment, progress) for path in files.training]


def heldout_readings(
    spec: DatasetSpec, files: DatasetFiles, problems: Problems, progress: Progress | None = None
) -> list[Reading]:
    """The reading of the held-out file, if the data set has one: pairs, which need no ratings."""
    treatment = replace(_treatment(spec), ratings=None)
    paths = [files.heldout] if files.heldout else []
    return [Reading(path, _TESTED, problems, treatment, progress) for path in paths]


def _treatment(spec: DatasetSpec) -> Treatment:
    dropped = frozenset(kind for kind, policy in spec.policies.items() if policy == "drop")
    return Treatment(spec.columns, spec.delete, spec.ratings, spec.scored, dropped)


def content_of(readings: Iterable[Reading]) -> Content:
    """What the training files hold, once they have been read. Raises StageError when they disagree."""
    found = {reading.format.name: reading for reading in readings if reading.format}
    if len(found) > 1:
        what = "; ".join(reading.explanation for reading in found.values())
        raise StageError("data", f"training files of different formats: {what}", "Choose files of one format.")
    return next(reading.format.content for reading in found.values() if reading.format)


def read_entries(spec: DatasetSpec, files: DatasetFiles, problems: Problems) -> Entries:
    """Read and check every row. Raises StageError of class `data` that lists every problem."""
    training_files = training_readings(spec, files, problems)
    heldout_files = heldout_readings(spec, files, problems)
    training = list(_identified((reading.path, row) for reading in training_files for row in reading))
    heldout = list(_identified((reading.path, row) for reading in heldout_files for row in reading))
    showcase_files, prompts = read_showcase(spec, files, problems)
    showcase = list(_identified(prompts))
    require_both_labels(training_files, problems)
    problems.raise_if_any()
    return Entries(
        content=content_of(training_files),
        training=training,
        heldout=heldout,
        showcase=showcase,
        explanations=explained(training_files) + explained(heldout_files) + explained(showcase_files),
        dropped=dropped_rows(training_files + heldout_files),
    )


def label_counts(readings: Iterable[Reading]) -> dict[bool, int]:
    """Desirable and undesirable rows of all these files."""
    files = list(readings)
    return {label: sum(reading.labels[label] for reading in files) for label in (True, False)}


def require_both_labels(readings: Sequence[Reading], problems: Problems) -> None:
    """Note a problem if all labels of a data set are the same: KTO could learn nothing from them."""
    counts = label_counts(readings)
    if min(counts.values()) == 0 < max(counts.values()):
        label = max(counts, key=counts.__getitem__)
        detail = f"all {counts[label]:,} labels are {str(label).lower()}"
        problems.add("one label only", readings[0].path, 1, detail)


def explained(readings: Iterable[Reading]) -> list[str]:
    """What files were read as, one line for all that were read as the same."""
    alike: dict[str, list[Reading]] = {}
    for reading in readings:
        alike.setdefault(reading.name, []).append(reading)
    return [
        files[0].explanation
        if len(files) == 1
        else f"{len(files)} files from {files[0].path.name} on: read as {name}, {sum(f.rows for f in files):,} rows"
        for name, files in alike.items()
    ]


def dropped_rows(readings: Iterable[Reading]) -> dict[str, int]:
    """Reason → rows of all these files that were left out."""
    return dict(sum((reading.dropped for reading in readings), Counter[str]()))


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
        reading = Reading(files.showcase, ("prompts", "pairs"), problems, Treatment(delete=spec.delete))
        return [reading], [(reading.path, Example(row.line, row.messages)) for row in reading]
    listed = spec.showcase if isinstance(spec.showcase, list) else []
    return [], [(Path("showcase"), _typed(index, text, problems)) for index, text in enumerate(listed, 1)]


def _typed(index: int, text: str, problems: Problems) -> Example:
    try:
        refuse_special_tokens(text, "prompt")
    except RowProblem as problem:
        problems.add(problem.kind, Path("showcase"), index, str(problem))
    return Example(index, [{"role": "user", "content": text}])
