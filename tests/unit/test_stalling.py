"""A process that hangs is given up; one that is only slow is not."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.stalling import STALL_SECONDS, VARIABLE, stall_seconds, wait_while_alive

LIMIT = 2.0
"""Long enough for an interpreter to start on a busy machine."""


@contextmanager
def started(body: str, *arguments: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", f"import sys, time\n{body}", *map(str, arguments)]) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(LIMIT))


def test_a_process_without_a_sign_of_life_is_given_up(tmp_path: Path) -> None:
    with (
        started("time.sleep(60)") as process,
        pytest.raises(StageError, match="the trainer showed no sign") as caught,
    ):
        wait_while_alive(process, "the trainer", tmp_path)
    assert caught.value.failure == "timeout"


@pytest.mark.parametrize(
    "sign",
    ["print(number, file=sys.stderr, flush=True)", "open(sys.argv[1] + '/checkpoint/' + str(number), 'w').close()"],
)
def test_a_process_that_is_slower_than_the_limit_and_gives_signs_is_waited_for(tmp_path: Path, sign: str) -> None:
    """As long in all as three times the limit."""
    (tmp_path / "checkpoint").mkdir()
    with started(
        f"for number in range(12):\n    time.sleep({LIMIT / 4})\n    {sign}\nsys.exit(5)", tmp_path
    ) as process:
        assert wait_while_alive(process, "the trainer", tmp_path) == 5


def test_the_limit_is_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    assert stall_seconds() == LIMIT
    monkeypatch.delenv(VARIABLE)
    assert stall_seconds() == STALL_SECONDS


@pytest.mark.parametrize("written", ["soon", "0", "-1", "nan", "inf"])
def test_a_limit_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch, written: str) -> None:
    monkeypatch.setenv(VARIABLE, written)
    with pytest.raises(StageError, match=VARIABLE) as caught:
        stall_seconds()
    assert caught.value.failure == "config"
