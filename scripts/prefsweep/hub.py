"""Downloads from Hugging Face and ModelScope: pinned revisions, chosen files, never pickles or code.

Files go through each hub's own cache: interrupted downloads resume, and what is cached works offline.
Endpoints and tokens come from the hubs' own variables (HF_ENDPOINT, HF_TOKEN, MODELSCOPE_ENDPOINT, …).
"""

import os
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Literal

from prefsweep.credentials import redacted
from prefsweep.failures import StageError
from prefsweep.files import published_directory, sha256_of_json
from prefsweep.models import Hub, HubSource

Kind = Literal["model", "dataset"]

MODEL_FILES = ("*.safetensors", "*.json", "*.txt", "*.jinja")
_SUBFOLDERS = ("*/*",)
_OUTSIDE = ("/*", "../*", "*/../*")
"""A hub may list any name, and ModelScope's client writes to wherever it leads."""


def fetch_model_files(source: HubSource, directory: Path) -> None:
    """Put a model's weights, configuration and tokenizer into `directory`; files in subfolders are left out.

    Raises StageError("model") when the hub has no such model or revision, StageError("network") when it
    cannot be reached and the files are not cached.
    """
    snapshot = _snapshot("model", source, MODEL_FILES, _SUBFOLDERS)
    _take(snapshot, MODEL_FILES, _SUBFOLDERS, directory)


def fetch_dataset_files(hub: Hub, id: str, revision: str, patterns: Iterable[str], target: Path) -> list[Path]:
    """Publish the files of a dataset that match `patterns` (such as `data/train-*.parquet`) in `target`.

    Returns their paths, sorted. Raises StageError("data") when the hub has no such dataset, revision or file,
    StageError("network") when it cannot be reached and the files are not cached.
    """
    source, wanted = HubSource(hub=hub, id=id, revision=revision), tuple(patterns)
    snapshot = _snapshot("dataset", source, wanted, ())
    with published_directory(target) as staging:
        names = _take(snapshot, wanted, (), staging)
        if not names:
            remedy = "Correct the dataset's file or split; the hub's page lists its files."
            raise StageError("data", f"the dataset {source} has no file like {', '.join(wanted)}", remedy)
    return [target / name for name in names]


def _snapshot(kind: Kind, source: HubSource, patterns: tuple[str, ...], ignored: tuple[str, ...]) -> Path:
    download = {"huggingface": _from_huggingface, "modelscope": _from_modelscope}[source.hub]
    return download(kind, source, patterns, ignored)


def _from_huggingface(kind: Kind, source: HubSource, patterns: tuple[str, ...], ignored: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        path = snapshot_download(
            source.id,
            repo_type=kind,
            revision=source.revision,
            allow_patterns=list(patterns),
            ignore_patterns=[*ignored, *_OUTSIDE],
            endpoint=os.environ.get("HF_ENDPOINT"),
        )
    except RevisionNotFoundError as error:
        raise _absent(kind, source, f"has no revision {source.revision}") from error
    except RepositoryNotFoundError as error:
        raise _absent(kind, source, "does not exist, is private, or needs an accepted licence") from error
    except (HTTPError, LocalEntryNotFoundError) as error:
        raise _unreachable(kind, source, os.environ.get("HF_ENDPOINT", "https://huggingface.co"), error) from error
    return Path(path)


def _from_modelscope(kind: Kind, source: HubSource, patterns: tuple[str, ...], ignored: tuple[str, ...]) -> Path:
    """The SDK's own lookup may return an old cache of any revision, so the folder is named here."""
    from modelscope_hub import HubApi
    from modelscope_hub.config import HubConfig
    from modelscope_hub.errors import AuthenticationError, HubError, NotExistError, PermissionDeniedError

    config = HubConfig()
    folder = Path(config.cache_dir) / f"{kind}s" / source.id.replace("/", "--") / "snapshots" / source.revision
    complete = folder.with_name(f"{folder.name}.{sha256_of_json([patterns, ignored])[:8]}.complete")
    try:
        HubApi(config=config).download_repo(
            source.id,
            kind,
            revision=source.revision,
            local_dir=folder,
            allow_patterns=list(patterns),
            ignore_patterns=[*ignored, *_OUTSIDE],
        )
    except NotExistError as error:
        raise _absent(kind, source, f"does not exist or has no revision {source.revision}") from error
    except (AuthenticationError, PermissionDeniedError) as error:
        raise _absent(kind, source, "is private") from error
    except HubError as error:
        if not complete.exists():
            raise _unreachable(kind, source, str(config.endpoint), error) from error
        return folder
    complete.touch()
    return folder


def _take(snapshot: Path, patterns: tuple[str, ...], ignored: tuple[str, ...], directory: Path) -> list[str]:
    """Link or copy the chosen files of a hub's cache; returns their names, sorted."""
    names = sorted(
        name
        for path in snapshot.rglob("*")
        if path.is_file() and not (name := path.relative_to(snapshot).as_posix()).startswith(".")
        if any(fnmatch(name, pattern) for pattern in patterns)
        if not any(fnmatch(name, pattern) for pattern in ignored)
    )
    for name in names:
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        _link((snapshot / name).resolve(), directory / name)
    return names


def _link(source: Path, target: Path) -> None:
    """A hard link spares a gigabyte on a shared disk, and is safe because nothing here writes in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def _absent(kind: Kind, source: HubSource, what: str) -> StageError:
    failure: Literal["model", "data"] = "model" if kind == "model" else "data"
    remedy = f"Check id and revision on {source.hub}'s page of {source.id}, or set the hub's token."
    return StageError(failure, f"the {kind} {source.id} on {source.hub} {what}", remedy)


def _unreachable(kind: Kind, source: HubSource, endpoint: str, error: Exception) -> StageError:
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    return StageError(
        "network",
        redacted(f"{endpoint} did not deliver the {kind} {source}, and it is not cached: {reason}"),
        "Check the network, set the hub's endpoint variable to a mirror, or name a local path instead.",
    )
