"""Another model's weights in a running server, in the place of its own: a second where a start takes a minute."""

import time
from dataclasses import replace
from pathlib import Path

import httpx2

from prefsweep.failures import StageError
from prefsweep.serving import Server
from prefsweep.stalling import stall_seconds


def swapped(server: Server, model: Path) -> Server:
    """Have the server load the weights of another model of the same shape in the place of its own.

    Returns it with the seconds this took. vLLM has left weights stale before (vllm#32718): nothing counts until
    `check_identity` has passed. Raises StageError("server_crash") where the server refuses.
    """
    started = time.perf_counter()
    answer = httpx2.post(
        f"{server.url}/collective_rpc",
        headers=server.headers,
        json={"method": "reload_weights", "kwargs": {"weights_path": str(model)}},
        timeout=stall_seconds(),
    )
    if answer.is_error:
        raise StageError("server_crash", f"the server keeps its weights: {answer.status_code}: {answer.text[:500]}")
    return replace(server, ready_seconds=time.perf_counter() - started)
