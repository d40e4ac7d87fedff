"""Speed at a forced answer length: passes of equal requests, at each concurrency, repeats interleaved.

Merged LoRAs of one base have one shape, so at equal length their speed must tie: what differs is measurement error.
Requests and latencies are those of `vllm bench serve`, taken from its own client.
"""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import aiohttp
import numpy as np
from vllm.benchmarks.lib.endpoint_request_func import (
    RequestFuncInput,
    RequestFuncOutput,
    async_request_openai_completions,
)

from prefsweep.client_overhead import instant_endpoint
from prefsweep.failures import FailureClass, StageError
from prefsweep.host_load import cpu_clock, other_cpu_share
from prefsweep.plan import GenerateSettings
from prefsweep.records.measure import Percentiles, TimedPass
from prefsweep.serving import Server
from prefsweep.stalling import stall_seconds

WARM_UP_REQUESTS = 2


async def time_passes(server: Server, prompts: list[list[int]], settings: GenerateSettings) -> list[TimedPass]:
    """`settings.repeats` passes at each concurrency, concurrencies alternating, after a warm-up.

    `prompts` are token ids, used in turn. Raises StageError when a request fails: a dying server is not a slow one.
    """
    # By default, 100 at a time; and a server that stops in the middle of an answer would be waited for for minutes.
    unlimited, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=None, sock_read=stall_seconds())
    async with aiohttp.ClientSession(connector=unlimited, timeout=timeout) as session, instant_endpoint() as address:
        client = _Client(session, prompts, settings)
        instant = replace(server, url=address)
        for one in (server, instant):
            await client.requests(one, WARM_UP_REQUESTS, WARM_UP_REQUESTS)
        return [
            await client.timed_pass(server, instant, concurrency, repeat)
            for repeat in range(settings.repeats)
            for concurrency in settings.concurrency
        ]


@dataclass(frozen=True)
class _Client:
    """Sends requests whose answers all have the same number of tokens."""

    session: aiohttp.ClientSession
    prompts: list[list[int]]
    settings: GenerateSettings

    async def timed_pass(self, server: Server, instant: Server, concurrency: int, repeat: int) -> TimedPass:
        """A pass, and at once the same requests to `instant`, which takes no time to answer."""
        count = self.settings.requests_of_a_pass(concurrency)
        before = cpu_clock(server.group)
        outputs, wall = await self.requests(server, count, concurrency)
        load = other_cpu_share(before, cpu_clock(server.group))
        _, client = await self.requests(instant, count, concurrency)
        return summarised(outputs, Circumstances(concurrency, repeat, wall, client, load))

    async def requests(self, server: Server, count: int, concurrency: int) -> tuple[list[RequestFuncOutput], float]:
        """The answers to so many requests, in their order, and the wall time of all."""
        gate = asyncio.Semaphore(concurrency)

        async def one(prompt: list[int]) -> RequestFuncOutput:
            async with gate:
                return await self._answer(server, prompt)

        prompts = [self.prompts[index % len(self.prompts)] for index in range(count)]
        started = time.perf_counter()
        outputs = await asyncio.gather(*(one(prompt) for prompt in prompts))
        return outputs, time.perf_counter() - started

    async def _answer(self, server: Server, prompt: list[int]) -> RequestFuncOutput:
        tokens = self.settings.timed_tokens
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
        output = await async_request_openai_completions(request, self.session)
        if not output.success or output.output_tokens != tokens:
            # vLLM's client gives an exception as the text of its traceback.
            silent = "TimeoutError" in output.error
            why = f"the server fell silent for {stall_seconds():g} s" if silent else output.error
            failure: FailureClass = "timeout" if silent else "server_crash"
            raise StageError(failure, f"a timed request gave {output.output_tokens} of {tokens} tokens: {why}")
        return output


@dataclass(frozen=True)
class Circumstances:
    """Of a pass, under the names that TimedPass has for them."""

    concurrency: int
    repeat: int
    wall_seconds: float
    client_seconds: float
    other_cpu_share: float | None


def summarised(outputs: list[RequestFuncOutput], circumstances: Circumstances) -> TimedPass:
    """One pass's latencies, by the definitions of `vllm bench serve` (see TimedPass)."""
    return TimedPass(
        **asdict(circumstances),
        requests=len(outputs),
        output_tokens=sum(output.output_tokens for output in outputs),
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
