"""A server's life: found dead, found wrong, and never outliving its job."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from prefsweep import serving as module
from prefsweep.credentials import is_secret
from prefsweep.failures import StageError
from prefsweep.generation import generate
from prefsweep.serving import check_identity
from tests.fake_serving import PROBE, SETTINGS, TOKEN_IDS, fake, prompts

SOON_SECONDS = 60
"""Two starts of an interpreter on a busy machine; the server would be waited for for fifteen minutes."""


def members(group: int) -> list[psutil.Process]:
    def in_group(process: psutil.Process) -> bool:
        try:
            return os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE
        except (ProcessLookupError, psutil.NoSuchProcess):
            return False

    return [process for process in psutil.process_iter() if in_group(process)]


def test_a_server_proves_what_it_serves_and_is_gone_afterwards(tmp_path: Path) -> None:
    with fake(tmp_path) as server:
        check_identity(server, [PROBE], "float32")
        assert server.key not in " ".join(server.argv)
        assert server.peak_memory_bytes() > 1 << 20
        group = server.group
        assert members(group)
    assert not members(group)


def test_the_key_is_new_each_time_and_the_servers_only_secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "canary")
    with fake(tmp_path) as first, fake(tmp_path) as second:
        assert first.key != second.key
        seen = psutil.Process(second.group).environ()
        assert {name for name in seen if is_secret(name)} == {"VLLM_API_KEY"}
        assert seen["VLLM_API_KEY"] == second.key
        (listening,) = psutil.Process(second.group).net_connections("inet")
        assert listening.laddr.ip == "127.0.0.1"


def test_a_server_of_another_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "wrong-model")
    with pytest.raises(StageError, match="serves \\['somebody-else'\\]") as caught, fake(tmp_path):
        pass
    assert caught.value.failure == "wrong_model"


def test_a_server_that_dies_while_loading_is_found_at_once_and_started_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "die")
    started = time.monotonic()
    with pytest.raises(StageError, match="no memory for the key-value cache") as caught, fake(tmp_path):
        pass
    assert caught.value.failure == "server_crash"
    assert time.monotonic() - started < SOON_SECONDS
    said = capsys.readouterr().err
    assert said.count("start 1 of at most 2 failed (server_crash)") == said.count("failed") == 1


def test_a_server_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "never-ready")
    monkeypatch.setattr(module, "READY_TIMEOUT_SECONDS", 1.0)
    started = time.monotonic()
    with pytest.raises(StageError, match="not ready after 1 s") as caught, fake(tmp_path):
        pass
    assert caught.value.failure == "timeout"
    assert time.monotonic() - started < SOON_SECONDS


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


def test_every_prompt_is_answered_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fake(tmp_path) as server:
        answers = asyncio.run(generate(server, prompts(5), TOKEN_IDS, SETTINGS, 0))
    assert [answer.prompt for answer in answers] == ["p0", "p1", "p2", "p3", "p4"]
    assert answers[3].answer == "HELLO 3"
    assert [line for line in capsys.readouterr().err.splitlines() if "answered" in line] == [
        f"{done} of 5 prompts answered" for done in range(1, 6)
    ]


def test_another_rendering_than_the_tokenizers_is_found_out(tmp_path: Path) -> None:
    with (
        fake(tmp_path) as server,
        pytest.raises(StageError, match="from token 1 on, the tokenizer renders it as \\[1, 2\\]"),
    ):
        asyncio.run(generate(server, prompts(1), {"p0": [1, 1, 2]}, SETTINGS, 0))


def test_whatever_fails_because_the_server_died_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_FAULTS", "die-generating")
    with (
        pytest.raises(StageError, match="ended with status -9 while it was in use") as caught,
        fake(tmp_path) as server,
    ):
        asyncio.run(generate(server, prompts(5), TOKEN_IDS, SETTINGS, 0))
    assert caught.value.failure == "server_crash"


@pytest.mark.parametrize("error", [StageError("score", "no such task"), ValueError("no such task")])
def test_what_fails_beside_a_living_server_keeps_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(module, "LAST_BREATH_SECONDS", 0.1)
    with pytest.raises(type(error), match="no such task"), fake(tmp_path):
        raise error
