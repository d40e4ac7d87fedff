"""Where packages come from: pip's configuration said in uv's words, and a source of CPU torch.

uv does not read pip's configuration, yet that is where a machine's mirror or wheel folder is named.
Every file is checked against the lock's hashes, so a source can be slow or missing but not wrong.
"""

import ast
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
"""PyTorch's index of CPU builds; the environment variable PREFSWEEP_TORCH_INDEX names another."""

Settings = dict[str, list[str]]
"""pip's options and their values, such as `{"find-links": ["/wheels"]}`."""


@cache
def pip_settings(pip: tuple[str, ...]) -> Settings:
    """The configuration in force for `pip install`, asked of the command `pip`.

    Environment variables win over the section `install`, which wins over `global`: pip's own order.
    """
    listing = subprocess.run([*pip, "config", "list"], check=True, capture_output=True, text=True).stdout
    options = [line.partition("=") for line in listing.splitlines()]
    settings: Settings = {}
    for section in ("global.", "install.", ":env:."):
        for key, _, value in options:
            if key.startswith(section):
                settings[key.removeprefix(section)] = str(ast.literal_eval(value)).split()
    return settings


def pinned_version(package: str, requirements: Path) -> str | None:
    """The version to which `requirements` (a lock or its source) pin `package`, `None` if they do not."""
    pin = re.search(rf"^{re.escape(package)}={{2,3}}([^\s;\\]+)", requirements.read_text("utf-8"), re.MULTILINE)
    return pin[1] if pin else None


def index_arguments(settings: Settings) -> list[str]:
    """uv's arguments for pip's `no-index`; what has an address is in its environment."""
    return ["--no-index"] if "no-index" in settings else []


def index_environment(settings: Settings) -> dict[str, str]:
    """uv's settings for pip's `index-url`, or none for the public index.

    An address may have a password in it, so addresses are never arguments, which every user of a machine can read.
    """
    urls = [] if "no-index" in settings else _existing(settings, "index-url")
    return {"UV_DEFAULT_INDEX": urls[0]} if urls else {}


def extra_index_environment(settings: Settings) -> dict[str, str]:
    """uv's settings for pip's `extra-index-url`, searched as pip does: the best version of all indexes.

    uv's default, the first index that knows the name, protects against a stranger's package of that name on
    another index; here the lock's hashes do.
    """
    urls = [] if "no-index" in settings else _existing(settings, "extra-index-url")
    return {"UV_INDEX": " ".join(urls), "UV_INDEX_STRATEGY": "unsafe-best-match"} if urls else {}


def wheel_environment(settings: Settings, requirements: Path) -> dict[str, str]:
    """uv's settings for pip's `find-links`, and for PyTorch's CPU index where `requirements` need it.

    CPU builds of torch are not on the public index. If no wheel folder holds the pinned one, torch's page on
    PyTorch's index is added as one more list of links, so that nothing but torch is looked up there.
    """
    links = _existing(settings, "find-links")
    torch = pinned_version("torch", requirements)
    if torch and torch.endswith("+cpu") and "no-index" not in settings and not _holds_torch(links, torch):
        links.append(f"{os.environ.get('PREFSWEEP_TORCH_INDEX', TORCH_INDEX).rstrip('/')}/torch/")
    return {"UV_FIND_LINKS": ",".join(links)} if links else {}


def certificate_environment(settings: Settings) -> dict[str, str]:
    """The process environment for uv: the present one, with pip's `cert` where no certificates are named."""
    certificates = _existing(settings, "cert")
    return ({"SSL_CERT_FILE": certificates[0]} if certificates else {}) | os.environ


def _existing(settings: Settings, option: str) -> list[str]:
    """The values of an option without local paths that do not exist: pip passes over them, uv stops."""
    return [value for value in settings.get(option, []) if (path := _local(value)) is None or path.exists()]


def _holds_torch(links: list[str], version: str) -> bool:
    folders = [path for link in links if (path := _local(link))]
    return any(any(folder.glob(f"torch-{version}-cp311-*_x86_64.whl")) for folder in folders)


def _local(link: str) -> Path | None:
    """The path a link stands for, `None` for a link to another machine."""
    url = urlsplit(link)
    if url.scheme == "file":
        return Path(unquote(url.path))
    return None if url.scheme else Path(link).expanduser()
