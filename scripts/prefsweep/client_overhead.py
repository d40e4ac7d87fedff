"""What the timing client itself takes: the same requests to an endpoint that streams its answer at once.

The endpoint lives in the client's own process, so its work counts as the client's: an upper bound.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


@asynccontextmanager
async def instant_endpoint() -> AsyncIterator[str]:
    """The address of a completions endpoint that streams as many tokens as it is asked for, in vLLM's form, at once."""
    application = web.Application(client_max_size=1 << 30)
    application.router.add_post("/v1/completions", _answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _answer(request: web.Request) -> web.StreamResponse:
    asked = await request.json()
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream; charset=utf-8"})
    await response.prepare(request)
    tokens = asked["max_tokens"]
    chunk = _event(asked, [{"index": 0, "text": " word", "logprobs": None, "finish_reason": None}], None)
    for _ in range(tokens):
        await response.write(chunk)
    await response.write(_event(asked, [], {"prompt_tokens": len(asked["prompt"]), "completion_tokens": tokens}))
    await response.write(b"data: [DONE]\n\n")
    return response


def _event(asked: dict[str, Any], choices: list[dict[str, Any]], usage: dict[str, int] | None) -> bytes:
    event = {"id": "cmpl-0123456789abcdef", "object": "text_completion", "created": 0, "model": asked["model"]}
    return f"data: {json.dumps(event | {'choices': choices, 'usage': usage})}\n\n".encode()
