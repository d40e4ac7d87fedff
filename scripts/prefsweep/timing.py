"""Speed at a forced answer length: passes of equal requests, at each concurrency, repeats interleaved.

Merged LoRAs of one base have one shape, so at equal length their speed must tie: what differs is measurement error.
Requests and latencies are those of `vllm bench serve`, taken from its own client.
"""

import asyncio
import time
from collections.abc import Iterable

import aiohttp
import numpy as np
from vllm.benchmarks.lib.endpoint_request_func import (
    RequestFuncInput,
    RequestFuncOutput,
    async_request_openai_completions,
)

from prefsweep.failures import StageError
from prefsweep.plan import GenerateSettings
from prefsweep.records.measure import Percentiles, TimedPass
from prefsweep.serving import Server

WARM_UP_REQUESTS = 2


async def time_passes(server: Server, prompts: list[list[int]], settings: GenerateSettings) -> list[TimedPass]:
    """`settings.repeats` passes at each concurrency, concurrencies alternating, after a warm-up.

    `prompts` are token ids, used in turn. Raises StageError when a request fails: a dying server is not a slow one.
    """
    timeout = aiohttp.ClientTimeout(total=3600)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        await _requests(server, session, _cycled(prompts, WARM_UP_REQUESTS), settings.timed_tokens, WARM_UP_REQUESTS)
        return [
            await _timed_pass(server, session, prompts, settings, concurrency, repeat)
            for repeat in range(settings.repeats)
            for concurrency in settings.concurrency
        ]


def _cycled(prompts: list[list[int]], count: int) -> list[list[int]]:
    return [prompts[index % len(prompts)] for index in range(count)]


async def _timed_pass(
    server: Server,
    session: aiohttp.ClientSession,
    prompts: list[list[int]],
    settings: GenerateSettings,
    concurrency: int,
    repeat: int,
) -> TimedPass:
    requests = settings.timed_requests
    started = time.perf_counter()
    outputs = await _requests(server, session, _cycled(prompts, requests), settings.timed_tokens, concurrency)
    wall = time.perf_counter() - started
    return summarised(outputs, wall, concurrency, repeat)


async def _requests(
    server: Server, session: aiohttp.ClientSession, prompts: list[list[int]], tokens: int, concurrency: int
) -> list[RequestFuncOutput]:
    gate = asyncio.Semaphore(concurrency)

    async def one(prompt: list[int]) -> RequestFuncOutput:
        request = RequestFuncInput(
            prompt=prompt,
            api_url=f"{server.url}/v1/completions",
            prompt_len=len(prompt),
            output_len=tokens,
            model=server.name,
            ignore_eos=True,
            extra_headers=server.headers,
            extra_body={"temperature": 0, "min_tokens": tokens},
        )
        async with gate:
            output = await async_request_openai_completions(request, session)
        if not output.success or output.output_tokens != tokens:
            raise StageError(
                "server_crash",
                f"a timed request gave {output.output_tokens} of {tokens} tokens: {output.error}",
            )
        return output

    return await asyncio.gather(*(one(prompt) for prompt in prompts))


def summarised(outputs: list[RequestFuncOutput], wall_seconds: float, concurrency: int, repeat: int) -> TimedPass:
    """One pass's latencies, by the definitions of `vllm bench serve` (see TimedPass)."""
    return TimedPass(
        concurrency=concurrency,
        repeat=repeat,
        requests=len(outputs),
        output_tokens=sum(output.output_tokens for output in outputs),
        wall_seconds=wall_seconds,
        ttft=_percentiles(output.ttft for output in outputs),
        tpot=_percentiles(
            (output.latency - output.ttft) / (output.output_tokens - 1)
            for output in outputs
            if output.output_tokens > 1
        ),
        itl=_percentiles(gap for output in outputs for gap in output.itl),
        e2e=_percentiles(output.latency for output in outputs),
        request_ttft_seconds=[round(output.ttft, 6) for output in outputs],
        request_e2e_seconds=[round(output.latency, 6) for output in outputs],
    )


def _percentiles(seconds: Iterable[float]) -> Percentiles:
    values = np.fromiter(seconds, dtype=float)
    p50, p95, p99 = np.percentile(values, [50, 95, 99])
    return Percentiles(
        mean_seconds=float(values.mean()),
        p50_seconds=float(p50),
        p95_seconds=float(p95),
        p99_seconds=float(p99),
    )
