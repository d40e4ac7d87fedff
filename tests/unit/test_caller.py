"""One call at a time works on a study; a killed one stands in nobody's way, and one elsewhere is not overrun."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prefsweep import caller, lifetime
from prefsweep.caller import Caller, Turn
from prefsweep.failures import StageError

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
CALL = """
import sys
from pathlib import Path
from prefsweep.caller import Turn
from prefsweep.failures import StageError
turn = Turn([Path(sys.argv[1])])
print("ready", flush=True)
sys.stdin.readline()
try:
    turn.take()
    print("works", flush=True)
except StageError as error:
    print(error, flush=True)
sys.stdin.readline()
"""
ENDED = {"ended": "2026-11-30 00:00:00"}
ELSEWHERE = Caller(host="elsewhere", boot="another", pid=7, started="2026-11-29 00:00:00")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path


@contextmanager
def another_call(study: Path) -> Iterator[subprocess.Popen[str]]:
    """A call that has looked; a line makes it take its turn, and a second one ends it."""
    call = subprocess.Popen(
        [sys.executable, "-c", CALL, str(study)],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert said(call) == "ready"
        yield call
    finally:
        call.kill()
        call.communicate()


def said(call: subprocess.Popen[str]) -> str:
    assert call.stdout
    return call.stdout.readline().strip()


def tell(call: subprocess.Popen[str]) -> None:
    assert call.stdin
    call.stdin.write("\n")
    call.stdin.flush()


def last(study: Path) -> Caller:
    return Caller.read(study / "logs" / "caller.json")


def leave(study: Path, left: Caller) -> None:
    left.write(study / "logs" / "caller.json")


def test_of_two_calls_at_the_same_moment_exactly_one_works_twenty_times(study: Path) -> None:
    for _ in range(20):
        with another_call(study) as one, another_call(study) as two:
            tell(one)
            tell(two)
            answers = [said(one), said(two)]
            assert answers.count("works") == 1
            pid = (one, two)[answers.index("works")].pid
            assert f"{study} is in use by process {pid} on {os.uname().nodename}, since " in " ".join(answers)
        # Both were killed: the next two are in nobody's way.


def test_a_call_that_ended_says_so_and_the_next_one_works(study: Path) -> None:
    with another_call(study) as call:
        tell(call)
        assert said(call) == "works"
        assert last(study).ended is None
        assert Turn([study]).others
        tell(call)
        call.wait()
    assert last(study).ended
    assert last(study).pid == call.pid
    turn = Turn([study])
    assert not turn.others
    turn.take()
    assert last(study).pid == os.getpid()


def test_jobs_that_were_chosen_while_another_call_was_at_work_are_not_done_twice(study: Path) -> None:
    with another_call(study) as call:
        before = Turn([study])
        tell(call)
        assert said(call) == "works"
        during = Turn([study])
        tell(call)
        call.wait()
    for turn in (before, during):
        with pytest.raises(StageError, match=f"was in use by process {call.pid} .* until now"):
            turn.take()


@pytest.mark.parametrize(
    ("left", "local", "free"),
    [
        (ELSEWHERE, False, False),
        (ELSEWHERE, True, True),
        (ELSEWHERE.model_copy(update=ENDED), False, True),
        (Caller.this().model_copy(update={"boot": "another"}), False, True),
        (Caller.this().model_copy(update={"host": "its-container"}), False, True),
    ],
    ids=["elsewhere", "elsewhere, of this disk", "elsewhere, ended", "before a restart", "another container"],
)
def test_who_is_gone_is_proven(
    study: Path, monkeypatch: pytest.MonkeyPatch, left: Caller, local: bool, free: bool
) -> None:
    monkeypatch.setattr(caller, "_is_local", lambda _: local)
    leave(study, left)
    turn = Turn([study])
    if free:
        turn.take()
        return
    with pytest.raises(StageError, match="is in use by process 7 on elsewhere, since 2026-11-29") as refused:
        turn.take()
    assert refused.value.remedy.startswith(f"If that call runs no more, remove {study}/logs/caller.json")


@pytest.mark.parametrize(("pid", "free"), [(os.getpid(), False), (2**22 + 1, True)], ids=["alive", "dead"])
def test_without_locks_the_processs_number_tells(
    study: Path, monkeypatch: pytest.MonkeyPatch, pid: int, free: bool
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    leave(study, Caller.this().model_copy(update={"pid": pid}))
    if free:
        Turn([study]).take()
        return
    with pytest.raises(StageError, match="as far as can be seen from here"):
        Turn([study]).take()


def test_a_sandbox_that_hides_the_kernel_proves_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifetime, "_BOOT", study / "hidden")
    monkeypatch.setattr(caller, "_is_local", lambda _: False)
    leave(study, ELSEWHERE.model_copy(update={"boot": ""}))
    with pytest.raises(StageError):
        Turn([study]).take()


def test_a_record_that_a_power_cut_emptied_is_no_obstacle(study: Path) -> None:
    (study / "logs" / "caller.json").write_text("")
    Turn([study]).take()
    assert last(study).pid == os.getpid()


def test_the_disk_under_tests_is_local(tmp_path: Path) -> None:
    assert caller._is_local(tmp_path)
