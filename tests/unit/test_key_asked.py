"""The door of a server: what passes without its key, and what does not."""

import asyncio
from typing import Any

import pytest

from prefsweep.inside_vllm.key_asked import KeyAsked, Message

KEY = "the-key"


def answer(scope: Message, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What is sent for a request; the server behind the door sends its path."""
    monkeypatch.setenv("VLLM_API_KEY", KEY)
    sent: list[Any] = []

    async def server(scope: Message, receive: Any, send: Any) -> None:
        sent.append(scope.get("path", scope["type"]))

    async def send(message: Message) -> None:
        sent.append(message.get("status", message["type"]))

    asyncio.run(KeyAsked(server)(scope, lambda: asyncio.sleep(0, {}), send))
    return sent


def request(path: str, authorization: str | None = None) -> Message:
    headers = [(b"host", b"x"), *([(b"authorization", authorization.encode())] if authorization else [])]
    return {"type": "http", "path": path, "headers": headers}


@pytest.mark.parametrize("path", ["/v1/models", "/invocations", "/classify", "/tokenize", "/metrics", "/health/", "/"])
@pytest.mark.parametrize("given", [None, "Bearer other", f"Basic {KEY}", KEY, "Bearer "])
def test_nothing_without_the_key(monkeypatch: pytest.MonkeyPatch, path: str, given: str | None) -> None:
    assert answer(request(path, given), monkeypatch) == [401, "http.response.body"]


@pytest.mark.parametrize(
    "scope", [request("/invocations", f"Bearer {KEY}"), request("/health"), {"type": "lifespan"}], ids=str
)
def test_what_passes(monkeypatch: pytest.MonkeyPatch, scope: Message) -> None:
    assert answer(scope, monkeypatch) == [scope.get("path", "lifespan")]


def test_a_websocket_without_the_key_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(request("/v1/realtime") | {"type": "websocket"}, monkeypatch) == ["websocket.close"]
