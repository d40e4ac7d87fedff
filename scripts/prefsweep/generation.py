"""Answers to the held-out prompts at their natural length, from the arm's own server, each checked for its origin."""

import asyncio
import time
from typing import Any

import httpx

from prefsweep.failures import StageError
from prefsweep.gates.measure import check_rendering
from prefsweep.plan import GenerateSettings
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.records.merge import RenderedPrompt
from prefsweep.serving import Server

_REQUEST_TIMEOUT_SECONDS = 600.0


async def generate(
    server: Server,
    prompts: list[HeldOutPrompt],
    rendered: list[RenderedPrompt],
    settings: GenerateSettings,
    seed: int,
) -> list[Generation]:
    """One answer per prompt, in the prompts' order, at the highest concurrency of the study.

    Raises StageError("wrong_model") when an answer comes from another model, or when the server turns a prompt into
    other tokens than the trainer's template did.
    """
    expected = {prompt.prompt: prompt.token_ids for prompt in rendered}
    gate = asyncio.Semaphore(max(settings.concurrency))
    limits = httpx.Limits(max_connections=max(settings.concurrency))
    async with httpx.AsyncClient(
        base_url=server.url, headers=server.headers, timeout=_REQUEST_TIMEOUT_SECONDS, limits=limits
    ) as client:

        async def answered(prompt: HeldOutPrompt) -> Generation:
            async with gate:
                started = time.perf_counter()
                answer = await _complete(client, server.name, prompt, settings, seed)
            if prompt.id in expected:
                renderings = {"the trainer": expected[prompt.id], "the server": answer["prompt_token_ids"]}
                check_rendering(prompt.id, renderings)
            return _as_generation(prompt, answer, time.perf_counter() - started)

        return await asyncio.gather(*(answered(prompt) for prompt in prompts))


async def _complete(
    client: httpx.AsyncClient, name: str, prompt: HeldOutPrompt, settings: GenerateSettings, seed: int
) -> dict[str, Any]:
    body = {
        "model": name,
        "messages": prompt.messages,
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "seed": seed,
        "return_token_ids": True,
    }
    response = await client.post("/v1/chat/completions", json=body)
    if response.is_error:
        raise StageError("server_crash", f"prompt {prompt.id}: status {response.status_code}: {response.text[:500]}")
    answer: dict[str, Any] = response.json()
    if answer["model"] != name:
        raise StageError("wrong_model", f"prompt {prompt.id} was answered by {answer['model']}, not {name}")
    return answer


def _as_generation(prompt: HeldOutPrompt, answer: dict[str, Any], seconds: float) -> Generation:
    choice = answer["choices"][0]
    return Generation(
        prompt=prompt.id,
        part=prompt.part,
        answer=choice["message"]["content"] or "",
        finish_reason=choice["finish_reason"],
        prompt_tokens=answer["usage"]["prompt_tokens"],
        output_tokens=answer["usage"]["completion_tokens"],
        seconds=seconds,
    )
