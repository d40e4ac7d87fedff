"""A failed stage leaves its class, its cause and a remedy; a success leaves nothing."""

import errno
import os
import signal
from pathlib import Path

import pytest

from prefsweep.failures import Failure, StageError, classify, recorded


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (StageError("nan", "loss is nan"), "nan"),
        (MemoryError(), "oom"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "oom"),
        (OSError(errno.ENOSPC, "No space left on device"), "disk"),
        (TimeoutError(), "timeout"),
        (KeyboardInterrupt(), "killed"),
        (ZeroDivisionError(), "internal"),
    ],
)
def test_classes(error: BaseException, failure: str) -> None:
    found, remedy = classify(error)
    assert found == failure
    assert remedy


def test_a_failure_is_recorded_with_its_last_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught, recorded("dpo-1/seed-0", "train", tmp_path):
        raise StageError("nan", "step 7: the loss is nan", "Lower the rate.")
    assert caught.value.code == 1
    record = Failure.read(tmp_path / "failure-train.json")
    assert (record.failure, record.message, record.remedy) == (
        "nan",
        "step 7: the loss is nan",
        "Lower the rate.",
    )
    assert "step 7" in record.last_lines[-1]
    assert "remedy: Lower the rate." in capsys.readouterr().err


def test_a_success_removes_the_record_of_an_earlier_failure(tmp_path: Path) -> None:
    (tmp_path / "failure-train.json").write_text("{}")
    with recorded("dpo-1/seed-0", "train", tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_sigterm_is_a_recorded_failure(tmp_path: Path) -> None:
    previous = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit), recorded("dpo-1/seed-0", "train", tmp_path):
            os.kill(os.getpid(), signal.SIGTERM)
            signal.pause()
    finally:
        signal.signal(signal.SIGTERM, previous)
    assert Failure.read(tmp_path / "failure-train.json").failure == "killed"
