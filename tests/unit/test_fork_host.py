"""What is forked for a job is what the job would be: its output, its status, its end. What does not fit starts anew."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).resolve().parents[2]
FORKED = (ROOT / "scripts" / "forked.py").read_text(encoding="utf-8")
LOADED = """
import os, sys
os.environ["SET_BY_ENGINE"] = "yes"
sys.stderr.write("loading\\n")
sys.stderr.flush()
"""
SCRIPT = """
import os, signal, sys
print("engine" in sys.modules, os.environ.get("SET_BY_ENGINE"), os.environ.get("JOB_TOKEN"), os.getcwd(), sys.argv[1:])
print(os.getpid(), flush=True)
exec(sys.argv[1])
"""
ASLEEP = "import time; time.sleep(600)"
Owner = subprocess.Popen[bytes]
Job = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def owner() -> Iterator[Owner]:
    """Who the host serves, and whose end ends it."""
    process = subprocess.Popen(["sleep", "600"])
    yield process
    process.kill()
    process.wait()
    until(lambda: hosts(process.pid) == [])


@pytest.fixture
def job(tmp_path: Path, owner: Owner) -> Job:
    """A job of the owner's, which says what it sees and runs some Python; what takes long to load is a short module."""
    (tmp_path / "engine.py").write_text(LOADED)
    (tmp_path / "script.py").write_text(SCRIPT)
    loads = '"prefsweep.training", "prefsweep.merging", "prefsweep.divergence"'
    (tmp_path / "forked.py").write_text(FORKED.replace(loads, '"engine",'))

    def start(code: str, **environment: str) -> subprocess.Popen[str]:
        told = {"PYTHONPATH": f"{ROOT / 'scripts'}:{tmp_path}", "PREFSWEEP_FORKS_FOR": str(owner.pid)} | environment
        command = [sys.executable, "forked.py", "script.py", code]
        return subprocess.Popen(
            command, cwd=tmp_path, env=os.environ | told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return start


def hosts(owner: int) -> list[psutil.Process]:
    told = ["--host", str(owner)]
    return [one for one in psutil.process_iter(["cmdline"]) if (one.info["cmdline"] or [])[-3:-1] == told]


def until(over: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not over():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def running(job: subprocess.Popen[str]) -> tuple[bool, int]:
    """Whether the engine was loaded for it, and the process that the job is."""
    assert job.stdout
    return job.stdout.readline().startswith("True"), int(job.stdout.readline())


def test_it_runs_where_the_engine_is_loaded_as_itself(job: Job, owner: Owner, tmp_path: Path) -> None:
    for number in range(2):
        out, errors = job("sys.exit(3)", JOB_TOKEN=f"secret {number}", OMP_NUM_THREADS=f"{number + 1}").communicate()
        assert out.splitlines()[0] == f"True yes secret {number} {tmp_path} ['sys.exit(3)']"
        assert ("loading" in errors) == (number == 0), "the second finds it loaded"
    assert job("sys.exit('told')").communicate()[1] == "told\n"
    assert "ZeroDivisionError" in (failed := job("1 / 0")).communicate()[1]
    assert failed.returncode == 1
    (host,) = hosts(owner.pid)
    assert "secret" not in " ".join(host.environ().values()), "it keeps no secret"


def test_signals_reach_it_and_its_own_are_told(job: Job) -> None:
    stopped = job(ASLEEP)
    running(stopped)
    stopped.terminate()
    assert stopped.wait() == -signal.SIGTERM
    heard = job("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7)); print('ready', flush=True); " + ASLEEP)
    assert running(heard)[0]
    assert heard.stdout
    assert heard.stdout.readline() == "ready\n"
    heard.terminate()
    assert heard.wait() == 7
    assert job("os.kill(os.getpid(), signal.SIGKILL)").wait() == -signal.SIGKILL


@pytest.mark.parametrize("of", ["asker", "host"])
def test_whatever_it_hangs_on_ends_it(job: Job, owner: Owner, of: str) -> None:
    started = job(ASLEEP)
    _, process = running(started)
    started.kill() if of == "asker" else hosts(owner.pid)[0].kill()
    until(lambda: not psutil.pid_exists(process))
    assert started.wait() == (-signal.SIGKILL if of == "asker" else -signal.SIGTERM)


def test_the_host_outlives_its_owner_no_longer_than_what_it_has_forked(job: Job, owner: Owner) -> None:
    started = job(ASLEEP)
    running(started)
    owner.kill()
    owner.wait()
    time.sleep(0.3)
    assert hosts(owner.pid)
    assert started.poll() is None
    started.terminate()
    until(lambda: hosts(owner.pid) == [])


@pytest.mark.parametrize("change", ["environment", "library"])
def test_what_was_loaded_under_other_conditions_is_not_used(job: Job, tmp_path: Path, change: str) -> None:
    library = tmp_path / "prefsweep"
    shutil.copytree(ROOT / "scripts" / "prefsweep", library)
    told = {"PYTHONPATH": str(tmp_path), "HF_HOME": "/a"}
    assert running(job("pass", **told))[0]
    if change == "library":
        os.utime(library / "credentials.py", (0, 0))
    else:
        told["HF_HOME"] = "/b"
    assert not running(job("pass", **told))[0]


def test_an_engine_that_cannot_be_loaded_is_left_to_the_job(job: Job, tmp_path: Path) -> None:
    (tmp_path / "engine.py").write_text("1 / 0")
    assert not running(job("pass"))[0]
