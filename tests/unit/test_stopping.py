"""A signal to a call reaches its jobs, not their shells and not itself, and becomes its exit status."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
JOB = "import signal, sys, time; signal.signal(signal.SIGTERM, {handler}); print('job', flush=True); time.sleep(600)"
CALL = """
import signal, subprocess, sys, threading, time
from prefsweep import stopping
stopping._STOP_SECONDS = 1
lock = threading.Lock()
no_more = threading.Event()
def graceful(*_):
    with lock:
        no_more.set()
signal.signal(signal.SIGTERM, graceful)
stop = stopping.Stop()
stop.listen(local=sys.argv[2] == "local")
shell = ["bash", "-c", '"$0" -c "$1" || { [ $? -eq 3 ] && echo said; }', sys.executable, sys.argv[1]]
first = subprocess.Popen(shell)
with lock:
    time.sleep(1)
time.sleep(1)
late = subprocess.Popen(shell)
codes = [first.wait(), late.wait()]
assert no_more.wait(10)
stop.jobs_are_over()
print(codes, subprocess.run([sys.executable, "-c", "print('report')"]).returncode, flush=True)
stop.leave()
"""


def call(handler: str, number: signal.Signals, where: str = "local") -> tuple[int, str]:
    """Exit status and output of a call that starts one job before the signal comes and one after."""
    process = subprocess.Popen(
        [sys.executable, "-c", CALL, JOB.format(handler=handler), where],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "job\n"
    process.send_signal(number)
    status = process.wait(timeout=120)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return status, process.stdout.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_every_job_is_ended_and_its_shell_says_what_became_of_it(number: signal.Signals) -> None:
    status, output = call("lambda *_: sys.exit(3)", number)
    assert status == 128 + number
    assert "said\n" in output
    assert "[0, " in output
    assert "report\n" in output
    assert f"stopped by {number.name}. The same command continues." in output


def test_a_job_that_ignores_it_is_killed() -> None:
    status, output = call("signal.SIG_IGN", signal.SIGTERM)
    assert status == 128 + signal.SIGTERM
    assert "[1, 1] 0" in output
    assert "report\n" in output


def test_a_cluster_s_jobs_are_cancelled_by_snakemake() -> None:
    status, output = call("lambda *_: sys.exit(3)", signal.SIGTERM, "cluster")
    assert status != 128 + signal.SIGTERM
    assert "KeyboardInterrupt" in output
