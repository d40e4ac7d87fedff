"""What a sceptic can check in a results folder alone: hashes, weights, scores from answers, the report from records."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from prefsweep.admission import left_empty
from prefsweep.attestation import CRATE, WRITERS, Attestation, artefacts
from prefsweep.failures import RUNG, StageError
from prefsweep.metrics import score_run
from prefsweep.mismatches import mismatches
from prefsweep.plan import Plan
from prefsweep.records.base import FileHash, Record, hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Evaluation, Generation
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from prefsweep.ro_crate import crate_text

_R = TypeVar("_R", bound=Record)


def changed_files(directory: Path, attestation: Attestation) -> list[str]:
    """Files whose hash is not the recorded one, or that are missing or new."""
    files = artefacts(directory)
    recorded = attestation.files | {"plan.json": attestation.plan_digest}
    found = {file.name: file.sha256 for file in files}
    found |= {"plan.json": digest} if (digest := _plan_digest(directory)) else {}
    names = sorted(recorded.keys() | found.keys())
    changed = [f"{name}: {_state(name, recorded, found)}" for name in names if recorded.get(name) != found.get(name)]
    return changed + ([] if changed else _changed_crate(directory, attestation, files))


def _changed_crate(directory: Path, attestation: Attestation, files: Sequence[FileHash]) -> list[str]:
    """It has `provenance.json`'s hash and follows from the files, so that neither can be changed alone."""
    crate = directory / CRATE
    if not crate.is_file():
        return [f"{CRATE}: is missing, or cannot be read"]
    due = crate_text(directory, attestation, files).encode()
    return [f"{CRATE}: {place}" for place in mismatches(CRATE, crate.read_bytes(), due)]


def _plan_digest(directory: Path) -> str | None:
    """None where no plan can be read."""
    try:
        return Plan.read(directory / "plan.json").digest()
    except (OSError, ValueError):
        return None


def _state(name: str, recorded: Mapping[str, str], found: Mapping[str, str]) -> str:
    if name not in found:
        return "is missing, or cannot be read"
    return "was changed after the report" if name in recorded else "was not there when the report was made"


def changed_weights(directory: Path) -> list[str]:
    """Weights that are not those whose hashes `train.json` and `merge.json` hold, as far as they are still there."""
    problems: list[str] = []
    for folder, manifest in _weights(directory):
        if folder.is_dir():
            found = {file.name: file.sha256 for file in hashed_files(folder)}
            recorded = {file.name: file.sha256 for file in manifest}
            place = folder.relative_to(directory)
            names = sorted(recorded.keys() | found.keys())
            problems += [
                f"{place}/{name}: is not the file of the run's record"
                for name in names
                if recorded.get(name) != found.get(name)
            ]
    return problems


def absent_weights(directory: Path) -> list[str]:
    """What could not be checked because it is not in the folder, in a sentence for each kind of weights."""
    absent: dict[str, int] = {}
    for folder, _ in _weights(directory):
        if not folder.is_dir():
            absent[folder.name] = absent.get(folder.name, 0) + 1
    return [
        f"{name} weights of {number} runs are not in this folder: nothing says whether they are those of the records"
        for name, number in absent.items()
    ]


def _weights(directory: Path) -> Iterator[tuple[Path, list[FileHash]]]:
    """Each folder of weights that a run has left or should have, with its manifest. Records that cannot be read have
    none; their hash says that they were changed."""
    for path in sorted(directory.glob("runs/**/train.json")):
        if train := _read(TrainRecord, path):
            yield path.with_name("adapter"), train.adapter
            if train.checkpoint:
                yield path.with_name("checkpoint"), train.checkpoint
    for path in sorted(directory.glob("runs/**/merge.json")):
        if merge := _read(MergeRecord, path):
            yield path.with_name("merged"), merge.model


def _read(record: type[_R], path: Path) -> _R | None:
    try:
        return record.read(path)
    except (OSError, ValueError):
        return None


def underived_scores(directory: Path) -> list[str]:
    """Values in `scores.json` that do not follow from a run's answers and lm-eval's log-probabilities."""
    problems: list[str] = []
    for path in sorted(directory.glob("runs/**/scores.json")):
        if left_empty(path):
            continue
        name, run = str(path.relative_to(directory)), str(path.parent.relative_to(directory / "runs"))
        try:
            due = _scores(path.parent, directory / "data" / "heldout.jsonl", run)
        except (OSError, ValueError, StageError) as error:
            problems.append(f"{name}: cannot be derived: {str(error).splitlines()[0]}")
            continue
        problems += [f"{name}: {place}" for place in mismatches(name, path.read_bytes(), due.encode())]
    return problems


def _scores(folder: Path, heldout: Path, run: str) -> str:
    prompts = list(HeldOutPrompt.read_rows(heldout))
    asked = [prompt for prompt in prompts if prompt.half == "development"] if RUNG in run else prompts
    evaluation = Evaluation.read(folder / "evaluation.json")
    scores = score_run(asked, list(Generation.read_rows(folder / "generations.jsonl")), evaluation)
    return scores.model_dump_json(indent=2) + "\n"


def underived(report: Path, derived: Path) -> list[str]:
    """Where the files of a report folder differ from those just derived from the records; both folders whole."""
    names = sorted({file.name for folder in (report, derived) for file in hashed_files(folder)})
    problems = []
    for name in names:
        if not (report / name).is_file():
            problems.append(f"report/{name}: follows from the records, but is missing")
        elif not (derived / name).is_file():
            problems.append(f"report/{name}: does not follow from the records")
        else:
            found, due = (report / name).read_bytes(), (derived / name).read_bytes()
            problems += [f"report/{name}: {place}" for place in mismatches(name, found, due)]
    return problems


def circumstances_apart(
    attestation: Attestation, checkout: Mapping[str, str], versions: Mapping[str, str]
) -> list[str]:
    """How whoever checks differs from whoever made the report, where a difference may come from that alone."""
    made = attestation.checkout.get("commit")
    notes = []
    if made is None:
        notes.append("the report does not say which commit made it")
    elif made != checkout.get("commit"):
        notes.append(f"commit {made} made the report, this is {checkout.get('commit') or 'no checkout'}")
    if attestation.checkout.get("edited") == "yes":
        notes.append("the checkout that made the report had edits, which are in no commit")
    if checkout.get("edited") == "yes":
        notes.append("this checkout has edits")
    return notes + list(_versions_apart(attestation.versions, versions))


def _versions_apart(recorded: Mapping[str, str], versions: Mapping[str, str]) -> Iterator[str]:
    relevant: Iterable[str] = ("python", *WRITERS)
    for name in relevant:
        if name in recorded and recorded[name] != versions.get(name):
            yield f"{name} {recorded[name]} made the report, this is {versions.get(name, 'without it')}"
