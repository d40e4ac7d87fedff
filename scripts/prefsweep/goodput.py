"""Goodput: requests that kept to the service level a study states, as `vllm bench serve --goodput` counts them."""

from collections.abc import Sequence
from dataclasses import dataclass

from prefsweep.records.measure import TimedPass
from prefsweep.settings import ServiceLevel


@dataclass(frozen=True)
class Goodput:
    """Of the requests of one run at one concurrency, all repeats together."""

    share: float
    """Of the requests, those that were good: each latency asked for at most its limit."""
    requests_per_second: float
    """Good requests / wall time."""


def goodput(passes: Sequence[TimedPass], asked: ServiceLevel) -> Goodput:
    """How many requests of these passes, at least one, were good."""
    good = sum(_good(timed, asked) for timed in passes)
    return Goodput(good / sum(t.requests for t in passes), good / sum(t.wall_seconds for t in passes))


def _good(timed: TimedPass, asked: ServiceLevel) -> int:
    latencies = [getattr(timed, f"request_{name}_seconds") for name in asked.limits]
    limits = asked.limits.values()
    return sum(
        all(latency <= limit for latency, limit in zip(request, limits, strict=True))
        for request in zip(*latencies, strict=True)
    )


def described(asked: ServiceLevel) -> str:
    """`TTFT ≤ 0.5 s, TPOT ≤ 0.05 s`."""
    return ", ".join(f"{name.upper()} ≤ {limit:g} s" for name, limit in asked.limits.items())
