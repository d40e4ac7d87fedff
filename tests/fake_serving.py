"""The fake server in vLLM's place, and prompts for it; faults come from FAKE_FAULTS (see fake_server.py)."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefsweep.plan import GenerateSettings
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.merge import Probe
from prefsweep.serving import Server, serving

FAKE = [sys.executable, str(Path(__file__).with_name("fake_server.py"))]
NAME = "dpo-00000000/seed-0"
PROBE = Probe(prompt="p", token_ids=[1, 2, 3], answer_tokens=1, log_probs=[-1.0, -1.0])
SETTINGS = GenerateSettings(max_tokens=8, temperature=0.0, concurrency=[2], repeats=1, timed_tokens=8, timed_requests=1)
TOKEN_IDS = {f"p{number}": [1, 2] for number in range(5)}
"""As it renders every prompt to a model without a tokenizer."""


@contextmanager
def fake(directory: Path, concurrency: int = 2) -> Iterator[Server]:
    """Serve what lies in `directory`, with the log beside it."""
    settings = SETTINGS.model_copy(update={"concurrency": [concurrency]})
    log = directory / "server.log"
    with serving(FAKE, directory, NAME, settings, device="cpu", max_length=64, seed=0, log=log) as server:
        yield server


def prompts(count: int) -> list[HeldOutPrompt]:
    """`hello 0`, `hello 1` and so on, named `p0`, `p1` and so on."""
    return [
        HeldOutPrompt(
            id=f"p{number}",
            cluster=f"p{number}",
            part="heldout",
            half="test",
            messages=[{"role": "user", "content": f"hello {number}"}],
            chosen="a",
            rejected="b",
        )
        for number in range(count)
    ]
