"""Two studies' artefacts, kind by kind: how many are the same to the bit, and how far apart the others are.

Seconds, bytes of memory and paths differ between any two calls; what is compared is what they are about. Of two
finished studies: `python -m benchmarks.artefacts results/<one> results/<other>`.
"""

import argparse
import csv
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefsweep.files import read_jsonl, sha256_of
from prefsweep.records.drift import AnswerDrift
from prefsweep.records.measure import Evaluation, Generation
from prefsweep.records.merge import MergeRecord
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord

Parts = Mapping[str, Any]
"""Name → value, of all that a file says and that is not a measurement of the machine."""

_MEASURED = re.compile(
    r"seconds|bytes|hours|cost|goodput|speed|(output_tokens|requests)_per_|cpu_share|client_share|domin"
)
"""In the names of a table's columns: times, memory, and what follows from them."""
_SECTION = re.compile(r'<section id="([a-z-]+)".*?(?=<section id="|<script>)', re.DOTALL)


def whole(path: Path) -> Parts:
    return {"all": sha256_of(path)}


def steps(path: Path) -> Parts:
    history = TrainRecord.read(path).history
    return {str(step.step): step.model_dump(exclude={"seconds"}) for step in history}


def probes(path: Path) -> Parts:
    return {probe.prompt: probe.log_probs for probe in MergeRecord.read(path).probes}


def answers(path: Path) -> Parts:
    return {answer.prompt: answer.model_dump(exclude={"seconds"}) for answer in Generation.read_rows(path)}


def log_likelihoods(path: Path) -> Parts:
    """Of each held-out pair, and of each document of each task."""
    found = Evaluation.read(path)
    documents = {
        f"{task} {metric}": one.values[metric] for task, one in found.documents.items() for metric in one.values
    }
    return {pair.prompt: pair.model_dump() for pair in found.pairs} | documents


def distances(path: Path) -> Parts:
    return {answer.prompt: answer.model_dump() for answer in AnswerDrift.read_rows(path)}


def metrics(path: Path) -> Parts:
    return {prompt.prompt: prompt.metrics for prompt in Scores.read(path).prompts}


def columns(path: Path) -> Parts:
    with path.open(encoding="utf-8", newline="") as stream:
        names, *rows = csv.reader(stream)
    found = {name: [row[place] for row in rows] for place, name in enumerate(names)}
    return {name: values for name, values in found.items() if not _MEASURED.search(name)}


def rows(path: Path) -> Parts:
    return {str(number): row for number, row in enumerate(read_jsonl(path))}


def sections(path: Path) -> Parts:
    return {found[1]: found[0] for found in _SECTION.finditer(path.read_text(encoding="utf-8"))}


KINDS: dict[str, tuple[str, Callable[[Path], Parts]]] = {
    "data": ("data/*", whole),
    "adapters": ("runs/*/*/adapter/adapter_model.safetensors", whole),
    "steps": ("runs/*/*/train.json", steps),
    "merged_weights": ("runs/*/*/merged/*.safetensors", whole),
    "other_merged_files": ("runs/*/*/merged/*[!s]", whole),
    "probes": ("runs/*/*/merge.json", probes),
    "answers": ("runs/*/*/generations.jsonl", answers),
    "log_likelihoods": ("runs/*/*/evaluation.json", log_likelihoods),
    "distances": ("runs/*/*/drift.jsonl", distances),
    "metrics": ("runs/*/*/scores.json", metrics),
    "table_columns": ("report/*.csv", columns),
    "samples": ("report/samples.jsonl", rows),
    "page_sections": ("report/index.html", sections),
}
"""Kind → its files below a study's folder, and what their parts are."""


@dataclass
class Comparison:
    """Of all artefacts of one kind."""

    files: int = 0
    equal_files: int = 0
    parts: int = 0
    equal_parts: int = 0
    largest_difference: float = 0.0
    """Between two numbers in the same place."""
    apart: list[str] = field(default_factory=list)
    """The parts that differ, as `file: part`."""

    def add(self, name: str, first: Parts, second: Parts) -> None:
        """One file of both studies."""
        apart = [part for part in first.keys() | second.keys() if first.get(part) != second.get(part)]
        self.files += 1
        self.equal_files += not apart
        self.parts += len(first.keys() | second.keys())
        self.equal_parts = self.parts - len(self.apart) - len(apart)
        self.apart += [f"{name}: {part}" for part in sorted(apart)]
        for part in apart:
            numbers = zip(_numbers(first.get(part)), _numbers(second.get(part)), strict=False)
            self.largest_difference = max(self.largest_difference, *(abs(a - b) for a, b in numbers), 0.0)

    def figures(self, kind: str) -> dict[str, float]:
        counted = {"files": self.files, "equal_files": self.equal_files}
        counted |= {"parts": self.parts, "equal_parts": self.equal_parts}
        return {f"{kind}_{name}": value for name, value in counted.items()} | {
            f"{kind}_largest_difference": self.largest_difference
        }


def compared(kind: str, first: Path, second: Path) -> Comparison:
    """All artefacts of a kind in the folders of two studies. Raises ValueError unless both have the same files."""
    pattern, parts_of = KINDS[kind]
    names, others = ({str(file.relative_to(study)) for file in study.glob(pattern)} for study in (first, second))
    if names != others or not names:
        raise ValueError(f"{kind}: one study has {sorted(names)}, the other {sorted(others)}")
    comparison = Comparison()
    for name in sorted(names):
        comparison.add(name, parts_of(first / name), parts_of(second / name))
    return comparison


def _numbers(value: Any) -> Iterator[float]:
    """Every number in a value, in its order."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, Mapping | list):
        for one in value.values() if isinstance(value, Mapping) else value:
            yield from _numbers(one)


def told(found: Mapping[str, Comparison]) -> None:
    """Print a line per kind, and a line per part that differs."""
    for kind, one in found.items():
        largest = f", numbers at most {one.largest_difference:.3g} apart" if one.largest_difference else ""
        print(f"{kind}: {one.equal_files} of {one.files} files, {one.equal_parts} of {one.parts} parts equal{largest}")
        for name in one.apart:
            print(f"  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", type=Path, nargs=2, help="results/<study>")
    first, second = parser.parse_args().studies
    told({kind: compared(kind, first, second) for kind in KINDS})


if __name__ == "__main__":
    main()
