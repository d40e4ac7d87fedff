"""The job that owns trainers lives to say what became of them."""

import signal
from pathlib import Path

import psutil
import pytest

from prefsweep import fitting
from prefsweep.failures import StageError
from prefsweep.fitting import fit, report, reported
from prefsweep.records.train import Fit

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
PREAMBLE = "import os, signal, sys; from pathlib import Path; directory = Path(sys.argv[4])\n"
FITTED = Fit(
    checkpoint=Path("checkpoint-2"),
    rows=16,
    row_counts={"a": 1},
    steps=2,
    sequences=32,
    tokens=640,
    history=[],
    seconds=1.5,
    trainable_parameters=8,
    adapter_norm=0.1,
    peak_memory_bytes=1 << 20,
    memory_kind="resident",
)


def run(directory: Path, body: str, monkeypatch: pytest.MonkeyPatch, processes: int = 1) -> Fit:
    monkeypatch.setenv("PYTHONPATH", str(SCRIPTS))
    trainer = directory / "trainer.py"
    trainer.write_text(PREAMBLE + body)
    settings, environment = directory / "settings.json", {"TRACKED": "yes"}
    return fit(trainer, settings, directory, processes=processes, threads=3, environment=environment)


def test_what_a_trainer_reports_reaches_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(FITTED, tmp_path / "reported")
    body = "os.rename(directory / 'reported' / 'fit.json', directory / 'fit.json')\n"
    body += "assert (os.environ['OMP_NUM_THREADS'], os.environ['TRACKED']) == ('3', 'yes')"
    assert run(tmp_path, body, monkeypatch) == FITTED


def test_trainers_write_a_set_in_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "(directory / 'order').write_text(' '.join({'q_proj', 'k_proj', 'v_proj', 'o_proj', 'up_proj'}))"
    orders = set()
    for seed in ("7", "8"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        with pytest.raises(StageError):
            run(tmp_path, body, monkeypatch)
        orders.add((tmp_path / "order").read_text())
    assert len(orders) == 1


def test_a_trainer_that_stumbles_after_its_report_has_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    report(FITTED, tmp_path / "reported")
    body = "os.rename(directory / 'reported' / 'fit.json', directory / 'fit.json')\nos.abort()"
    assert run(tmp_path, body, monkeypatch) == FITTED


def test_a_known_failure_keeps_its_class_and_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = """
from prefsweep.failures import StageError
from prefsweep.fitting import reported
with reported(directory):
    raise StageError("nan", "step 7: the loss is nan", "Lower the rate.")
"""
    with pytest.raises(StageError, match="step 7: the loss is nan") as error:
        run(tmp_path, body, monkeypatch)
    assert (error.value.failure, error.value.remedy) == ("nan", "Lower the rate.")


def test_of_several_trainers_the_first_to_fail_is_heard(tmp_path: Path) -> None:
    for error in (MemoryError("CUDA out of memory"), RuntimeError("connection closed by peer")):
        with pytest.raises(type(error)), reported(tmp_path):
            raise error
    assert '"oom"' in (tmp_path / "trouble.json").read_text()


@pytest.mark.parametrize(
    ("body", "failure", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "oom", "ended by SIGKILL"),
        ("sys.exit(137)", "oom", "by SIGKILL, as the kernel does when memory runs out"),
        ("os.kill(os.getpid(), signal.SIGTERM)", "killed", "stopped by SIGTERM"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "internal", f"status -{int(signal.SIGSEGV)}"),
        ("sys.exit(3)", "internal", "status 3"),
        ("sys.exit(0)", "internal", "status 0"),
    ],
)
def test_a_trainer_that_ends_without_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, failure: str, message: str
) -> None:
    with pytest.raises(StageError, match=message) as error:
        run(tmp_path, body, monkeypatch)
    assert error.value.failure == failure


@pytest.mark.parametrize(("killed", "failure"), [(1, "oom"), (0, "internal")])
def test_one_of_several_trainers_that_the_kernel_ended_is_out_of_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, killed: int, failure: str
) -> None:
    """torchrun ends with status 1 then, whatever the matter was."""
    counted = iter((7, 7 + killed))
    monkeypatch.setattr(fitting, "oom_kills", lambda: next(counted))
    monkeypatch.setattr(fitting, "_torchrun", lambda _: [])
    with pytest.raises(StageError) as error:
        run(tmp_path, "sys.exit(1)", monkeypatch, processes=2)
    assert error.value.failure == failure


def test_a_trainer_without_room_to_say_so_says_it_by_its_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = """
import errno
from prefsweep.fitting import Trouble, reported
def full(record):
    raise OSError(errno.ENOSPC, "No space left on device")
Trouble.model_dump_json = full
with reported(directory):
    raise RuntimeError("PytorchStreamWriter failed writing file data/0")
"""
    with pytest.raises(StageError, match="no space left") as error:
        run(tmp_path, body, monkeypatch)
    assert error.value.failure == "disk"
    assert not (tmp_path / "trouble.json").exists()


def test_a_trainer_that_hangs_is_ended_with_all_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFSWEEP_STALL_SECONDS", "2")
    body = """
import subprocess, time
child = subprocess.Popen(["sleep", "3600"])
(directory / "child").write_text(str(child.pid))
time.sleep(3600)
"""
    with pytest.raises(StageError, match="the trainer showed no sign of life for 2 s") as error:
        run(tmp_path, body, monkeypatch)
    assert error.value.failure == "timeout"
    assert "PREFSWEEP_STALL_SECONDS" in error.value.remedy
    assert not psutil.pid_exists(int((tmp_path / "child").read_text()))
