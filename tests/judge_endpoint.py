"""An OpenAI-compatible endpoint on 127.0.0.1 that says what a test tells it to."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.local_server import local_server

KEY = "sk-only-for-tests"
MODEL = "scripted"


@dataclass(frozen=True)
class Said:
    """An answer: a verdict's text, or an error's status."""

    text: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


Script = Callable[[str, int], Said]
"""From the judge's question and the number of requests before it to what is said."""


@dataclass
class ScriptedEndpoint:
    """Its address, and the body of every request with the right key."""

    url: str
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def questions(self) -> list[str]:
        return [body["messages"][0]["content"] for body in self.bodies]


def in_json(verdict: str) -> Said:
    return Said(json.dumps({"reasons": "so", "verdict": verdict}))


def answers(question: str) -> tuple[str, str]:
    """The two answers that a question of config/judges/pairwise.md shows, as they stand in it."""
    first, second = re.findall(r"<answer_[ab]>\n(.*?)\n</answer_[ab]>", question, re.DOTALL)
    return first, second


def prefers(better: Callable[[str], float]) -> Script:
    """A judge that has a reason: the answer of which `better` is higher, wherever it stands."""

    def script(question: str, before: int) -> Said:
        first, second = map(better, answers(question))
        return in_json("tie" if first == second else "A" if first > second else "B")

    return script


@contextmanager
def serving_judge(script: Script, key: str | None = None) -> Iterator[ScriptedEndpoint]:
    """Serve on a free port until the block ends."""
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            given = self.headers["Authorization"]
            if self.path != "/v1/chat/completions":
                self._send(404, {"error": "not found"}, {})
            elif key is not None and given != f"Bearer {key}":
                self._send(401, {"error": f"no such key: {given}"}, {})
            else:
                with lock:
                    before = len(endpoint.bodies)
                    endpoint.bodies.append(body)
                self._say(script(body["messages"][0]["content"], before), body["model"])

        def _say(self, said: Said, model: str) -> None:
            if said.status != 200:
                self._send(said.status, {"error": said.text}, said.headers)
                return
            usage = {"prompt_tokens": 100, "completion_tokens": 10}
            choice = {"message": {"content": said.text}, "finish_reason": "stop"}
            self._send(200, {"model": model, "choices": [choice], "usage": usage}, said.headers)

        def _send(self, status: int, document: object, headers: dict[str, str]) -> None:
            content = json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with local_server(Handler) as address:
        endpoint = ScriptedEndpoint(f"{address}/v1")
        yield endpoint
