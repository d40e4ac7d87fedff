"""Answers to the held-out prompts at their natural length, from the arm's own server, each checked for its origin."""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from itertools import count
from typing import Any

import httpx2

from prefsweep.failures import StageError
from prefsweep.gates.measure import check_answers, check_rendering
from prefsweep.kept_answers import KeptAnswers
from prefsweep.plan import GenerateSettings
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.serving import Server
from prefsweep.stalling import stall_seconds

ATTEMPTS = 3
"""At one answer, where the server says that it is busy or failed."""
_PAUSE_SECONDS = 1.0
"""Before the second attempt; twice as long before the third."""
_LATER = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.INTERNAL_SERVER_ERROR,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


async def generate(
    server: Server,
    prompts: list[HeldOutPrompt],
    token_ids: Mapping[str, Sequence[int]],
    settings: GenerateSettings,
    seed: int,
    kept: KeptAnswers | None = None,
) -> list[Generation]:
    """One answer per prompt, in the prompts' order, at the highest concurrency of the study.

    `token_ids` are those of each prompt by its id, as it is rendered beside the model. Prompts whose answers are in
    `kept` are not asked again, and new answers go there. Raises StageError ("wrong_model") when an answer comes from
    another model or is one to other tokens, ("score") when nearly all answers are empty.
    """
    known = kept.answers if kept else {}
    done = count(len(known) + 1)
    gate = asyncio.Semaphore(max(settings.concurrency))
    limits = httpx2.Limits(max_connections=max(settings.concurrency))
    async with httpx2.AsyncClient(
        base_url=server.url, headers=server.headers, timeout=stall_seconds(), limits=limits
    ) as client:

        async def answered(prompt: HeldOutPrompt) -> Generation:
            if prompt.id in known:
                return known[prompt.id]
            async with gate:
                answer, seconds = await _complete(client, server.name, prompt, settings, seed)
            renderings = {"the tokenizer": token_ids[prompt.id], "the server": answer["prompt_token_ids"]}
            check_rendering(prompt.id, renderings)
            generation = _as_generation(prompt, answer, seconds)
            if kept:
                kept.keep(generation, answer["prompt_token_ids"])
            _tell(next(done), len(prompts))
            return generation

        generations = await asyncio.gather(*(answered(prompt) for prompt in prompts))
    check_answers(generations)
    return generations


def _tell(done: int, prompts: int) -> None:
    """To the log, after every twentieth part of the answers."""
    if done % max(1, prompts // 20) == 0:
        print(f"{done:,} of {prompts:,} prompts answered", file=sys.stderr, flush=True)


async def _complete(
    client: httpx2.AsyncClient, name: str, prompt: HeldOutPrompt, settings: GenerateSettings, seed: int
) -> tuple[dict[str, Any], float]:
    """The server's answer, and the seconds it took."""
    body = {
        "model": name,
        "messages": prompt.messages,
        "max_tokens": settings.max_tokens,
        "temperature": settings.temperature,
        "seed": seed,
        "return_token_ids": True,
    }
    response, seconds = await _patiently(client, prompt.id, body)
    if response.is_error:
        raise StageError("server_crash", f"prompt {prompt.id}: status {response.status_code}: {response.text[:500]}")
    answer: dict[str, Any] = response.json()
    if answer["model"] != name:
        raise StageError("wrong_model", f"prompt {prompt.id} was answered by {answer['model']}, not {name}")
    return answer, seconds


async def _patiently(client: httpx2.AsyncClient, prompt: str, body: dict[str, Any]) -> tuple[httpx2.Response, float]:
    """The first response that is not one of a busy or failing server, or the last of all attempts; each is logged."""
    for attempt in range(1, ATTEMPTS + 1):
        started = time.perf_counter()
        response = await client.post("/v1/chat/completions", json=body)
        seconds = time.perf_counter() - started
        if response.status_code not in _LATER:
            break
        what = f"prompt {prompt}: status {response.status_code}, attempt {attempt} of {ATTEMPTS}"
        print(what, file=sys.stderr, flush=True)
        if attempt < ATTEMPTS:
            await asyncio.sleep(attempt * _PAUSE_SECONDS)
    return response, seconds


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
