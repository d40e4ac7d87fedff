"""Which MLflow a study is logged to: a server, or a sqlite file."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from prefsweep.credentials import redacted
from prefsweep.failures import StageError

VARIABLE = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"
_REMEDY = (
    f"Set {VARIABLE} to sqlite:////path/to/mlflow.db or to the address of a server (http:// or https://), or unset it."
)


def tracking_uri(asked: str | None, folder: Path) -> str:
    """What the caller's environment asks for, or else a sqlite file in `folder`.

    Raises StageError for any other kind of store: MLflow has given up its store of plain files, and databases that
    need a driver belong behind a server.
    """
    if not asked:
        return f"{_SQLITE}{folder.resolve() / 'mlflow.db'}"
    if asked.startswith(_SQLITE) and asked != _SQLITE:
        return asked
    parts = urlsplit(asked)
    if parts.scheme in ("http", "https") and parts.hostname:
        return asked
    raise StageError("config", f"{VARIABLE} is {redacted(asked)!r}: neither a server nor sqlite", _REMEDY)


def without_account(uri: str) -> tuple[str, dict[str, str]]:
    """An address without the account in it, and the variables by which MLflow takes that: it prints addresses."""
    parts = urlsplit(uri)
    account, _, host = parts.netloc.rpartition("@")
    if not account:
        return uri, {}
    name, _, password = account.partition(":")
    return parts._replace(netloc=host).geturl(), {
        "MLFLOW_TRACKING_USERNAME": unquote(name),
        "MLFLOW_TRACKING_PASSWORD": unquote(password),
    }


def artefact_folder(uri: str) -> Path | None:
    """Where artefacts go of what is logged to a sqlite file: beside it. A server keeps them itself: None."""
    if not uri.startswith(_SQLITE):
        return None
    return Path(uri.removeprefix(_SQLITE).partition("?")[0]).resolve().parent / "artifacts"
