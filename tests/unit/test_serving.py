"""A server's life: found dead, found wrong, and never outliving its job."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from prefsweep import serving as module
from prefsweep.failures import StageError
from prefsweep.generation import generate
from prefsweep.plan import GenerateSettings
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.merge import Probe, RenderedPrompt
from prefsweep.serving import Server, check_identity, serving

FAKE = [sys.executable, str(Path(__file__).resolve().parents[1] / "fake_server.py")]
PROBE = Probe(prompt="p", token_ids=[1, 2, 3], answer_tokens=1, log_probs=[-1.0, -1.0])
SETTINGS = GenerateSettings(max_tokens=8, temperature=0.0, concurrency=[2], repeats=1, timed_tokens=8, timed_requests=1)


@contextmanager
def fake(directory: Path) -> Iterator[Server]:
    with serving(
        FAKE,
        directory,
        "dpo-00000000/seed-0",
        SETTINGS,
        device="cpu",
        max_length=64,
        seed=0,
        log=directory / "server.log",
    ) as server:
        yield server


def members(group: int) -> list[psutil.Process]:
    def in_group(process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    return [process for process in psutil.process_iter() if in_group(process)]


def prompts(count: int) -> list[HeldOutPrompt]:
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


def test_a_server_proves_what_it_serves_and_is_gone_afterwards(tmp_path: Path) -> None:
    with fake(tmp_path) as server:
        check_identity(server, [PROBE], "float32")
        assert server.key not in " ".join(server.argv)
        assert server.peak_memory_bytes() > 1 << 20
        group = server.group
        assert members(group)
    assert not members(group)


def test_a_server_of_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "wrong-model")
    with pytest.raises(StageError, match="serves \\['somebody-else'\\]") as caught, fake(tmp_path) as server:
        check_identity(server, [PROBE], "float32")
    assert caught.value.failure == "wrong_model"


def test_a_server_that_dies_while_loading_is_found_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "die")
    started = time.monotonic()
    with pytest.raises(StageError, match="no memory for the key-value cache") as caught, fake(tmp_path):
        pass
    assert caught.value.failure == "server_crash"
    assert time.monotonic() - started < 5


def test_a_server_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "never-ready")
    monkeypatch.setattr(module, "READY_TIMEOUT_SECONDS", 1.0)
    with pytest.raises(StageError, match="not ready after 1 s") as caught, fake(tmp_path):
        pass
    assert caught.value.failure == "timeout"


@pytest.mark.parametrize("faults", ["stubborn", "orphan"])
def test_the_whole_group_is_stopped_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, faults: str
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", faults)
    with fake(tmp_path) as server:
        group = server.group
    started = time.monotonic()
    assert not members(group)
    assert time.monotonic() - started < 10


def test_a_killed_job_takes_its_server_with_it(tmp_path: Path) -> None:
    job = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from tests.unit.test_serving import wait_beside_server; wait_beside_server()",
        ],
        cwd=Path(__file__).resolve().parents[2],
        env=os.environ | {"PYTHONPATH": "scripts:.", "FAKE_DIRECTORY": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout is not None
    group = int(job.stdout.readline())
    job.send_signal(signal.SIGKILL)
    job.wait()
    deadline = time.monotonic() + 10
    while members(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not members(group)


def wait_beside_server() -> None:
    """The job of the test above: serve until it is killed."""
    with fake(Path(os.environ["FAKE_DIRECTORY"])) as server:
        print(server.group, flush=True)
        time.sleep(3600)


def test_every_prompt_is_answered_in_order(tmp_path: Path) -> None:
    with fake(tmp_path) as server:
        answers = asyncio.run(generate(server, prompts(5), [], SETTINGS, 0))
    assert [answer.prompt for answer in answers] == ["p0", "p1", "p2", "p3", "p4"]
    assert answers[3].answer == "HELLO 3"


def test_another_rendering_than_the_trainers_is_found_out(tmp_path: Path) -> None:
    rendered = [RenderedPrompt(prompt="p0", token_ids=[1, 1, 2])]
    with (
        fake(tmp_path) as server,
        pytest.raises(StageError, match="from token 1 on, the trainer renders it as \\[1, 2\\]"),
    ):
        asyncio.run(generate(server, prompts(1), rendered, SETTINGS, 0))


def test_whatever_fails_because_the_server_died_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "die-generating")
    with (
        pytest.raises(StageError, match="ended with status -9 while it was in use") as caught,
        fake(tmp_path) as server,
    ):
        asyncio.run(generate(server, prompts(5), [], SETTINGS, 0))
    assert caught.value.failure == "server_crash"


@pytest.mark.parametrize("error", [StageError("score", "no such task"), ValueError("no such task")])
def test_what_fails_beside_a_living_server_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(module, "LAST_BREATH_SECONDS", 0.1)
    with pytest.raises(type(error), match="no such task"), fake(tmp_path):
        raise error
