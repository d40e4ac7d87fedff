"""A local server that speaks what the Hugging Face and ModelScope clients say when they download.

It serves folders, `<root>/<owner>/<name>`, each at exactly one revision.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.local_server import local_server

REVISION = "0123456789abcdef0123456789abcdef01234567"


@dataclass
class HubServer:
    """The server's address and the paths it was asked for, queries included."""

    url: str
    requests: list[str] = field(default_factory=list)


@contextmanager
def serving_hub(root: Path, revision: str = REVISION) -> Iterator[HubServer]:
    """Serve the repositories below `root` on a free port of 127.0.0.1 until the block ends."""

    class Handler(_Handler):
        pass

    with local_server(Handler) as address:
        Handler.root, Handler.revision, Handler.hub = root, revision, HubServer(address)
        yield Handler.hub


class _Handler(BaseHTTPRequestHandler):
    root: Path
    revision: str
    hub: HubServer
    protocol_version = "HTTP/1.0"  # one request per connection: a stopped server answers nobody

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.hub.requests.append(f"{self.command} {self.path}")
        address = urlsplit(self.path)
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        if parts[:2] == ["api", "v1"]:
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            self._modelscope(parts[3:], query)
        elif parts[0] == "api":
            self._huggingface_tree(parts[2:])
        else:
            self._huggingface_file(parts[1:] if parts[0] == "datasets" else parts)

    def _huggingface_tree(self, parts: list[str]) -> None:
        """/api/{models,datasets}/OWNER/NAME/tree/REVISION"""
        repository = self._huggingface_repository(parts[0], parts[1], parts[-1])
        if repository is not None:
            self._json(
                [
                    {"type": "file", "path": name, "size": path.stat().st_size, "oid": _blob_id(path)}
                    for name, path in _files(repository)
                ]
            )

    def _huggingface_file(self, parts: list[str]) -> None:
        """[/datasets]/OWNER/NAME/resolve/REVISION/FILE"""
        repository = self._huggingface_repository(parts[0], parts[1], parts[3])
        if repository is not None:
            path = _file(repository, "/".join(parts[4:]))
            headers = {"ETag": f'"{_blob_id(path)}"', "X-Repo-Commit": self.revision}
            self._send(200, path.read_bytes(), headers)

    def _huggingface_repository(self, owner: str, name: str, revision: str) -> Path | None:
        repository = self.root / owner / name
        if repository.is_dir() and revision == self.revision:
            return repository
        code = "RevisionNotFound" if repository.is_dir() else "RepoNotFound"
        self._send(404, json.dumps({"error": code}).encode(), {"X-Error-Code": code})
        return None

    def _modelscope(self, parts: list[str], query: dict[str, str]) -> None:
        """/api/v1/{models,datasets}/OWNER/NAME/{repo,repo/files,repo/tree}"""
        if len(parts) < 3 or parts[2] != "repo":
            self._send(404, b"{}")
            return
        repository = self.root / parts[0] / parts[1]
        if not repository.is_dir() or query["Revision"] != self.revision:
            message = {"Code": 10010205001, "Message": "no such repository or revision", "Success": False}
            self._send(404, json.dumps(message).encode())
        elif parts[3:]:
            files = [
                {"Path": name, "Type": "blob", "Size": path.stat().st_size, "Sha256": _sha256(path)}
                for name, path in _files(repository)
            ]
            self._json({"Code": 200, "Success": True, "Data": {"Files": files}, "TotalCount": len(files)})
        else:
            self._send(200, _file(repository, query["FilePath"]).read_bytes())

    def _json(self, value: object) -> None:
        self._send(200, json.dumps(value).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _files(repository: Path) -> list[tuple[str, Path]]:
    return [(p.relative_to(repository).as_posix(), p) for p in sorted(repository.rglob("*")) if p.is_file()]


def _file(repository: Path, name: str) -> Path:
    return repository / name


def _blob_id(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
