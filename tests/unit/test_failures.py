"""A failed stage leaves its class, its cause and a remedy; a success leaves nothing."""

import errno
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prefsweep import failures
from prefsweep.failures import Failure, StageError, classify, recorded, silent_death
from prefsweep.lifetime import Running


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (StageError("nan", "loss is nan"), "nan"),
        (MemoryError(), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes."), "oom"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "disk"),
        (ValueError("Error while serializing: I/O error: No space left on device (os error 28)"), "disk"),
        (TimeoutError(), "timeout"),
        (KeyboardInterrupt(), "killed"),
        (ZeroDivisionError(), "internal"),
    ],
)
def test_classes(error: BaseException, failure: str) -> None:
    found, remedy = classify(error)
    assert found == failure
    assert remedy


def test_a_failure_is_recorded_with_the_logs_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train.log").write_text("step 6\nstep 7: nan\n")
    with pytest.raises(SystemExit) as caught, recorded("dpo-1/seed-0", "train", tmp_path):
        raise StageError("nan", "step 7: the loss is nan", "Lower the rate.")
    assert caught.value.code == 1
    record = Failure.read(tmp_path / "failure-train.json")
    assert (record.failure, record.message, record.remedy) == (
        "nan",
        "step 7: the loss is nan",
        "Lower the rate.",
    )
    assert record.last_lines == ["step 6", "step 7: nan"]
    told = capsys.readouterr().err
    assert "remedy: Lower the rate." in told
    assert "Traceback" not in told


def test_a_failure_that_nobody_foresaw_leaves_its_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit), recorded("dpo-1/seed-0", "train", tmp_path):
        raise KeyError("rank")
    assert "KeyError: 'rank'" in Failure.read(tmp_path / "failure-train.json").last_lines
    assert "Traceback" in capsys.readouterr().err


def test_a_full_disk_has_room_for_the_record_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is full, too: what cannot be said there must not keep the record from being written."""

    class FullLog(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    written = Failure.write

    def write_where_room_was_kept(record: Failure, path: Path) -> None:
        assert sum(file.stat().st_size for file in tmp_path.iterdir()) < before
        written(record, path)

    monkeypatch.setattr(Failure, "write", write_where_room_was_kept)
    monkeypatch.setattr(sys, "stderr", FullLog())
    with pytest.raises(SystemExit), recorded("dpo-1/seed-0", "train", tmp_path):
        before = sum(file.stat().st_size for file in tmp_path.iterdir())
        raise OSError(errno.ENOSPC, "No space left on device")
    record = Failure.read(tmp_path / "failure-train.json")
    assert record.failure == "disk"
    assert "No space left on device" in record.last_lines[-1]
    assert [file.name for file in tmp_path.iterdir()] == ["failure-train.json"]


def test_a_success_removes_the_record_of_an_earlier_failure(tmp_path: Path) -> None:
    (tmp_path / "failure-train.json").write_text("{}")
    with recorded("dpo-1/seed-0", "train", tmp_path):
        pass
    assert not list(tmp_path.iterdir())


@pytest.fixture
def terminated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], Failure]:
    """Ends a stage by SIGTERM where `squeue` is the given script, or there is none; the failure it leaves."""

    def terminate(squeue: str | None = None) -> Failure:
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin" if squeue else str(tmp_path))
        if squeue:
            (tmp_path / "squeue").write_text(f"#!/bin/sh\n{squeue}\n")
            (tmp_path / "squeue").chmod(0o755)
        with pytest.raises(SystemExit), recorded("dpo-1/seed-0", "train", tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
        return Failure.read(tmp_path / "failure-train.json")

    return terminate


def test_sigterm_is_a_recorded_failure(terminated: Callable[..., Failure], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    assert terminated("echo TimeLimit").failure == "killed"


@pytest.mark.parametrize(
    ("end", "squeue", "failure"),
    [
        (-1, None, "timeout"),
        (+60, None, "killed"),
        (None, '[ "$*" = "--noheader --jobs=7 --format=%r" ] && echo TimeLimit', "timeout"),
        (None, "echo None", "killed"),
        (None, "echo TimeLimit; exit 1", "killed"),
        (None, None, "killed"),
    ],
)
def test_slurms_time_limit_is_a_timeout(
    terminated: Callable[..., Failure],
    monkeypatch: pytest.MonkeyPatch,
    end: int | None,
    squeue: str | None,
    failure: str,
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    if end is not None:
        monkeypatch.setenv("SLURM_JOB_END_TIME", str(int(time.time()) + end))
    found = terminated(squeue)
    assert found.failure == failure
    assert ("runtime" in found.remedy) == (failure == "timeout")


def test_a_second_sigterm_does_not_lose_the_record(
    terminated: Callable[..., Failure], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_JOB_END_TIME", raising=False)
    found = terminated("kill -TERM $PPID; sleep 0.2; echo TimeLimit")
    assert found.failure == "timeout"


def test_a_sigterm_that_comes_while_a_failure_is_recorded_does_not_lose_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def classify_too_late(error: BaseException) -> tuple[str, str]:
        os.kill(os.getpid(), signal.SIGTERM)
        return classify(error)

    monkeypatch.setattr(failures, "classify", classify_too_late)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with pytest.raises(SystemExit), recorded("dpo-1/seed-0", "train", tmp_path):
        raise StageError("nan", "loss is nan")
    assert Failure.read(tmp_path / "failure-train.json").failure == "nan"
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_known_of_a_stage_that_was_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train.log").write_text("".join(f"step {step}\n" for step in range(20_000)))
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    with recorded("dpo-1/seed-0", "train", tmp_path):
        left = (tmp_path / "running-train.json").read_text()
    (tmp_path / "running-train.json").write_text(left)
    death = silent_death(tmp_path / "running-train.json", "several/a-on-b")
    assert (death.run, death.stage, death.failure) == ("dpo-1/seed-0", "train", "killed")
    assert death.message.startswith(
        f"killed without a word on {os.uname().nodename} (process {os.getpid()}, started 20"
    )
    assert death.message.endswith("UTC, Slurm job 7)")
    assert death.remedy.startswith("results/slurm-logs/rule_train/several_a-on-b_dpo-1_0/7.log says why: ")
    assert death.last_lines == [f"step {step}" for step in range(19_988, 20_000)]


def test_a_killed_stage_says_what_the_machine_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    with recorded("dpo-1/seed-0", "train", tmp_path):
        stage = Running.read(tmp_path / "running-train.json")
    file = tmp_path / "running-train.json"
    stage.write(file)
    assert silent_death(file, "tiny").message.endswith("UTC)")
    assert silent_death(file, "tiny").last_lines == []
    stage.model_copy(update={"oom_kills": -1}).write(file)
    assert silent_death(file, "tiny").failure == "oom"
    assert "memory" in silent_death(file, "tiny").remedy
    stage.model_copy(update={"boot": "an earlier one"}).write(file)
    assert silent_death(file, "tiny").failure == "killed"
    assert silent_death(file, "tiny").message.endswith("the machine has been started again since")
