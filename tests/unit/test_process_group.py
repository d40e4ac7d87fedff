"""What a job starts ends with it, whichever way it ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from prefsweep.process_group import process_group

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
STUBBORN = "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
WITH_CHILD = STUBBORN + (
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); print(child.pid, flush=True); "
    "time.sleep(600)"
)
OWNER = """
import sys, time
from prefsweep.process_group import process_group
with process_group([sys.executable, "-c", "import time; time.sleep(600)"], {}) as process:
    print(process.pid, flush=True)
    time.sleep(600)
"""
INTERRUPTED_OWNER = """
import signal, sys
from prefsweep.process_group import process_group
def ended(*_):
    raise SystemExit
signal.signal(signal.SIGTERM, ended)
signal.signal(signal.SIGINT, signal.default_int_handler)  # which is off where tests run in a shell's background
with open(sys.argv[2], "w") as log, process_group([sys.executable, "-c", sys.argv[1]], {}, log) as process:
    print(process.pid, flush=True)
    process.wait()
"""


def test_a_process_that_ignores_sigterm_and_its_child_are_gone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("w") as stream, process_group([sys.executable, "-c", WITH_CHILD], {}, stream) as process:
        while not log.read_text().strip():
            time.sleep(0.05)
        child = psutil.Process(int(log.read_text()))
    assert process.returncode == -signal.SIGKILL
    child.wait(timeout=10)


def test_a_second_signal_does_not_leave_it_behind(tmp_path: Path) -> None:
    log = tmp_path / "log"
    owner = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTED_OWNER, STUBBORN + "print('up', flush=True); time.sleep(600)", str(log)],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert owner.stdout
    owned = psutil.Process(int(owner.stdout.readline()))
    while not log.read_text():
        time.sleep(0.05)
    owner.send_signal(signal.SIGINT)
    time.sleep(1)
    owner.send_signal(signal.SIGTERM)
    owner.communicate()
    assert not owned.is_running() or owned.status() == psutil.STATUS_ZOMBIE


def test_an_exception_leaves_nothing_behind() -> None:
    with (
        pytest.raises(ValueError, match="on the way"),
        process_group([sys.executable, "-c", "import time; time.sleep(600)"], {}) as process,
    ):
        raise ValueError("on the way")
    assert process.returncode == -signal.SIGTERM


def test_a_killed_owner_takes_it_along() -> None:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}
    )
    assert owner.stdout
    owned = psutil.Process(int(owner.stdout.readline()))
    owner.kill()
    owner.wait()
    owner.stdout.close()  # not read to its end, which comes when all are gone
    psutil.wait_procs([owned], timeout=10)
    assert not owned.is_running() or owned.status() == psutil.STATUS_ZOMBIE


def test_its_environment_is_this_ones_without_secrets_and_what_is_added(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("KEPT", "HF_TOKEN", "WANDB_API_KEY"):
        monkeypatch.setenv(name, "1")
    show = "import os; print(*(os.environ.get(name) for name in ('KEPT', 'HF_TOKEN', 'WANDB_API_KEY', 'PATH')))"
    with (
        (tmp_path / "log").open("w") as stream,
        process_group([sys.executable, "-c", show], {"WANDB_API_KEY": "2"}, stream) as process,
    ):
        assert process.wait() == 0
    assert (tmp_path / "log").read_text().partition(":")[0] == f"1 None 2 {Path(sys.executable).parent}"
