"""Where preference data comes from: `config/datasets/*.yaml`, or the same keys in place in a study.

Relative paths start at the project's root in a dataset file, and in a study at the folder where it is run, which in a
checkout is the root too. They are made absolute and must exist: no path ever becomes a hub look-up.
"""

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from prefsweep.files import sha256_of, sha256_of_json
from prefsweep.yaml_file import Location, load_yaml

Hub = Literal["huggingface", "modelscope"]
_Text = Annotated[str, Field(min_length=1)]


class DatasetFile(BaseModel):
    """What `config/datasets/NAME.yaml`, or `dataset:` in a study, may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path | None = Field(None, description="Training rows: pairs, or labelled rows for KTO alone.")
    heldout: Path | None = Field(None, description="Pairs no method trains on; without it a share of `path` is.")
    showcase: Path | list[_Text] | None = Field(None, description="Prompts shown side by side: a file or a list.")
    heldout_fraction: float = Field(
        0.2, strict=True, gt=0, lt=1, description="Share of distinct prompts held out, without `heldout`."
    )
    limit: int | None = Field(None, strict=True, ge=1, description="Training rows used, chosen by hash.")
    max_too_long: float = Field(
        0.1, strict=True, ge=0, le=1, description="Refuse the data if a larger share of rows exceeds max_length."
    )
    duplicates: Literal["keep", "drop"] = Field(
        "keep", description="Training rows that repeat another, exactly or nearly: only count them, or drop them."
    )
    columns: dict[str, _Text] = Field({}, description="Our column names → the file's, if it has other headings.")
    delete: str = Field("", description="Characters removed from every text, such as variation selectors.")
    hub: Hub | None = Field(None, description="Fetch `files` of the data set `id` at `revision` from here.")
    id: str | None = Field(None, pattern=r"^\w[\w.-]*/\w[\w.-]*$")
    revision: str | None = Field(None, min_length=1, description="A commit or tag; a branch can move.")
    files: list[_Text] = Field(["*.jsonl", "*.csv"], min_length=1, description="Glob patterns, with `hub`.")
    licence: str | None = None
    source: str | None = Field(None, description="Where it comes from, for the report.")
    synthetic: bool = Field(False, strict=True, description="Written for a purpose rather than collected.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.path is None) == (self.hub is None):
            raise ValueError("needs either `path` (a file) or `hub` with `id`")
        if self.hub and self.id is None:
            raise ValueError("`hub` needs `id`, such as OWNER/NAME")
        default = {name: field.default for name, field in type(self).model_fields.items()}
        stray = [name for name in ("id", "revision", "files") if getattr(self, name) != default[name]]
        if stray and not self.hub:
            raise ValueError(f"`{stray[0]}` needs `hub`")
        if self.heldout and self.heldout_fraction != default["heldout_fraction"]:
            raise ValueError("give `heldout` or `heldout_fraction`, not both")
        return self


class DatasetSpec(DatasetFile):
    """A data set a study uses: named, its paths absolute."""

    name: str

    @property
    def described_source(self) -> str:
        """Where the data comes from, in a few words."""
        if self.source:
            return self.source
        return f"{self.hub}: {self.id}" if self.hub else f"local file {self.path.name if self.path else ''}"

    @property
    def hub_revision(self) -> str:
        """The revision to fetch: the hub's default branch unless one is named."""
        return self.revision or {"huggingface": "main", "modelscope": "master"}[self.hub or "huggingface"]


class SpecError(ValueError):
    """A `dataset:` that cannot be used; `location` leads to the key at fault, from `dataset:` down."""

    def __init__(self, location: Location, message: str) -> None:
        super().__init__(message)
        self.location = location


def load_dataset_spec(reference: str | dict[str, Any], config_dir: Path, work_dir: Path) -> DatasetSpec:
    """The data set a study names, or describes in place.

    `config_dir`, the project's `config/datasets`, holds the named ones, whose relative paths start at the project's
    root; those of a study start at `work_dir`, where it is run. Raises YamlError for a fault in a
    dataset file and SpecError for one in the study; both are ValueErrors.
    """
    if isinstance(reference, dict):
        path_or_id = reference.get("path") or reference.get("id") or "inline"
        return _spec(Path(str(path_or_id)).stem, reference, work_dir)
    file = config_dir / f"{reference}.yaml"
    known = sorted(path.stem for path in config_dir.glob("*.yaml"))
    if reference not in known:
        close = get_close_matches(reference, known, n=1)
        hint = f"did you mean {close[0]!r}? Known" if close else "known"
        raise SpecError((), f"no data set {reference!r}; {hint}: {', '.join(known)}; a file is {{path: FILE}}")
    document = load_yaml(file)
    try:
        return _spec(reference, document.value, config_dir.absolute().parents[1])
    except SpecError as error:
        raise document.error(error.location, str(error)) from None


def _spec(name: str, values: dict[str, Any], base_dir: Path) -> DatasetSpec:
    try:
        given = DatasetFile.model_validate(values)
    except ValidationError as error:
        details = error.errors()
        text = "\n".join(f"{_key(detail)}{_explained(detail)}" for detail in details)
        raise SpecError(details[0]["loc"], text) from None
    paths = {key: _existing(key, getattr(given, key), base_dir) for key in ("path", "heldout", "showcase")}
    return DatasetSpec(name=name, **given.model_dump(exclude_unset=True) | {k: v for k, v in paths.items() if v})


def _existing(key: str, value: Any, base_dir: Path) -> Any:
    if not isinstance(value, Path):
        return value
    path = (base_dir / value).resolve()
    if not path.exists():
        raise SpecError((key,), f"{key}: no such file: {path}; relative paths start at {base_dir}")
    return path


def _key(detail: Any) -> str:
    return "".join(f"{part}: " for part in detail["loc"][:1])


def _explained(detail: Any) -> str:
    if detail["type"] != "extra_forbidden":
        message = detail["msg"].removeprefix("Value error, ")
        return message if not detail["loc"] else f"{message[0].lower()}{message[1:]}; it is {detail['input']!r}"
    allowed = list(DatasetFile.model_fields)
    close = get_close_matches(str(detail["loc"][-1]), allowed, n=1)
    hint = f"did you mean {close[0]!r}? Allowed" if close else "allowed"
    return f"unknown key; {hint} here: {', '.join(allowed)}"


class DatasetFiles(BaseModel):
    """The files of a data set on this machine."""

    training: list[Path]
    heldout: Path | None
    showcase: Path | None

    @property
    def all(self) -> list[Path]:
        return [*self.training, *(path for path in (self.heldout, self.showcase) if path)]


def local_files(spec: DatasetSpec, downloads: Path) -> DatasetFiles:
    """The data set's files; those on a hub are fetched once, below `downloads`.

    Raises StageError of class `data` when the hub has no such files, `network` when it cannot be reached.
    """
    present = present_files(spec, downloads)
    if present is None and spec.hub and spec.id:
        from prefsweep.hub import fetch_dataset_files

        target = _fetched_folder(spec, downloads)
        fetch_dataset_files(spec.hub, spec.id, spec.hub_revision, spec.files, target)
        present = present_files(spec, downloads)
    if present is None:
        raise ValueError(f"data set {spec.name} has neither a path nor a hub")
    return present


def present_files(spec: DatasetSpec, downloads: Path) -> DatasetFiles | None:
    """The data set's files without any network; None while a hub's are not fetched."""
    folder = _fetched_folder(spec, downloads)
    training = [spec.path] if spec.path else sorted(path for path in folder.rglob("*") if path.is_file())
    showcase = spec.showcase if isinstance(spec.showcase, Path) else None
    return DatasetFiles(training=training, heldout=spec.heldout, showcase=showcase) if training else None


def _fetched_folder(spec: DatasetSpec, downloads: Path) -> Path:
    request = sha256_of_json([spec.hub, spec.id, spec.hub_revision, spec.files])[:8]
    return downloads / f"{str(spec.id).replace('/', '--')}-{request}"


def source_revision(spec: DatasetSpec) -> str:
    """What pins the data a study sees, known before anything is prepared: runs are named after it.

    Covers the bytes of local files or the hub's revision, and every setting that changes which rows are used;
    not names, paths, licence, source and what merely refuses data.
    """
    descriptive = {"name", "path", "heldout", "showcase", "licence", "source", "synthetic", "max_too_long"}
    settings = spec.model_dump(mode="json", exclude=descriptive)
    places = {"path": spec.path, "heldout": spec.heldout, "showcase": spec.showcase}
    content = {key: sha256_of(value) if isinstance(value, Path) else value for key, value in places.items()}
    digest = sha256_of_json(settings | content)
    return f"{spec.hub_revision}+{digest[:12]}" if spec.hub else f"sha256:{digest}"
