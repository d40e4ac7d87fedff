"""Loaded by vLLM's server itself: without the key it answers nothing but /health, on none of its routes.

vLLM's own check covers the routes below /v1 and a few others. /invocations, which answers prompts like they do,
/classify, /tokenize and /metrics are open to everyone who can reach the port. Imports nothing of this library: vLLM
finds it by the folder it is in.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from hmac import compare_digest
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_OPEN = "/health"
"""Says whether the server lives, and nothing else."""


class KeyAsked:
    """ASGI middleware: status 401 for a request without `Authorization: Bearer <VLLM_API_KEY>`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._expected = f"Bearer {os.environ['VLLM_API_KEY']}".encode()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] == _OPEN or self._has_key(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await send({"type": "http.response.start", "status": 401, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})
        else:
            await send({"type": "websocket.close", "code": 1008})

    def _has_key(self, scope: Message) -> bool:
        shown = dict(scope["headers"]).get(b"authorization", b"")
        return compare_digest(shown, self._expected)
