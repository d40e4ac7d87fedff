"""A stage holds its file for as long as it lives, and no second one writes beside it."""

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from prefsweep import lifetime
from prefsweep.lifetime import Running, is_held, running

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
STAGE = """
import sys
from pathlib import Path
from prefsweep.lifetime import running
with running("dpo-1/seed-0", "train", Path(sys.argv[1])):
    print("runs", flush=True)
    sys.stdin.read()
"""


@contextmanager
def another_process(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """A stage that runs, once it says so, until its stdin closes."""
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(directory)],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def said(stream: object) -> str:
    return stream.readline().strip()  # type: ignore[attr-defined]


def test_the_file_is_there_and_held_as_long_as_the_stage_runs(tmp_path: Path) -> None:
    file = tmp_path / "run" / "running-train.json"
    with running("dpo-1/seed-0", "train", file.parent):
        assert is_held(file)
        assert Running.read(file).pid == os.getpid()
    assert not file.exists()
    with pytest.raises(ZeroDivisionError), running("dpo-1/seed-0", "train", file.parent):
        raise ZeroDivisionError
    assert not file.exists()


def test_a_killed_stage_leaves_its_file_and_not_its_lock(tmp_path: Path) -> None:
    file = tmp_path / "running-train.json"
    with another_process(tmp_path) as stage:
        assert said(stage.stdout) == "runs"
        assert is_held(file)
        stage.kill()
        stage.wait()
        assert not is_held(file)
        assert Running.read(file).pid == stage.pid
    with running("dpo-1/seed-0", "train", tmp_path):
        assert Running.read(file).pid == os.getpid()
    assert not file.exists()


@pytest.mark.parametrize("end", ["killed", "removed by hand"])
def test_a_second_writer_waits_and_says_for_whom(tmp_path: Path, end: str) -> None:
    with ExitStack() as stages:
        first = stages.enter_context(another_process(tmp_path))
        assert said(first.stdout) == "runs"
        second = stages.enter_context(another_process(tmp_path))
        line = said(second.stderr)
        assert line.startswith(
            f"waiting: train of dpo-1/seed-0 runs on {os.uname().nodename} as process {first.pid} since"
        )
        assert line.endswith(f"remove {tmp_path}/running-train.json")
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(timeout=1.5)
        if end == "killed":
            first.kill()
        else:
            (tmp_path / "running-train.json").unlink()
        assert said(second.stdout) == "runs"
        second.kill()
        assert second.stderr.read() == ""  # type: ignore[union-attr]


def test_a_lock_on_a_file_that_its_holder_removed_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, lock = tmp_path / "running-train.json", fcntl.flock

    def removed_just_before(descriptor: int, kind: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        file.unlink()
        lock(descriptor, kind)

    monkeypatch.setattr(fcntl, "flock", removed_just_before)
    with running("dpo-1/seed-0", "train", tmp_path):
        assert is_held(file)
        assert file.exists()


def test_a_file_system_without_locks_is_said_and_nobody_is_declared_dead(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with running("dpo-1/seed-0", "train", tmp_path):
        assert is_held(tmp_path / "running-train.json")
    assert capsys.readouterr().err == f"no locks in {tmp_path} (No locks available): going on without\n"


def test_a_sandbox_that_hides_the_kernel_costs_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in ("_BOOT", "_KERNEL_COUNTERS"):
        monkeypatch.setattr(lifetime, file, tmp_path / "hidden")
    with running("dpo-1/seed-0", "train", tmp_path):
        stage = Running.read(tmp_path / "running-train.json")
    assert (stage.memory_ran_out(), stage.host_restarted()) == (False, False)


@pytest.mark.parametrize(("before", "after", "ran_out"), [("3", "4", True), ("3", "3", False), (None, "4", False)])
def test_the_kernel_counts_what_it_ends_for_want_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str | None, after: str, ran_out: bool
) -> None:
    counters = tmp_path / "vmstat"
    monkeypatch.setattr(lifetime, "_KERNEL_COUNTERS", counters)
    counters.write_text("nr_free_pages 7\n" + (f"oom_kill {before}\n" if before else ""))
    with running("dpo-1/seed-0", "train", tmp_path):
        stage = Running.read(tmp_path / "running-train.json")
    counters.write_text(f"nr_free_pages 7\noom_kill {after}\n")
    assert stage.memory_ran_out() is ran_out
    monkeypatch.setattr(lifetime, "_BOOT", counters)
    assert not stage.memory_ran_out(), "another start of the kernel counts anew"
    assert stage.host_restarted()
