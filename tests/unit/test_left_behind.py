"""What a killed call has left running is ended; nothing else is."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from prefsweep import left_behind
from prefsweep.left_behind import end_left_behind
from prefsweep.lifetime import Running

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
STAGE = """
import signal, subprocess, sys, time
from pathlib import Path
from prefsweep.lifetime import running
if sys.argv[2] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with running("dpo-1/seed-0", "train", Path(sys.argv[1])):
    engine = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    print(engine.pid, flush=True)
    time.sleep(600)
"""


@contextmanager
def stage(run: Path, manner: str) -> Iterator[tuple[subprocess.Popen[str], psutil.Process]]:
    """A stage with an engine."""
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE, str(run), manner],
        env=os.environ | {"PYTHONPATH": str(SCRIPTS)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    engine = psutil.Process(int(process.stdout.readline()))
    try:
        yield process, engine
    finally:
        with suppress(psutil.NoSuchProcess):
            engine.kill()
        process.kill()
        process.communicate()


@pytest.mark.parametrize("folder", ["runs/dpo-1/seed-0", "runs/dpo-1/seed-0/rung-1", "rivals"])
def test_a_stage_is_ended(tmp_path: Path, folder: str) -> None:
    with stage(tmp_path / folder, "obedient") as (process, _):
        (ended,) = end_left_behind(tmp_path)
        assert ended.pid == process.pid
        assert process.wait() != 0
    assert end_left_behind(tmp_path) == []


def test_one_that_ignores_sigterm_is_killed_with_its_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_behind, "_STOP_SECONDS", 0.5)
    with stage(tmp_path / "runs/dpo-1/seed-0", "stubborn") as (process, engine):
        assert end_left_behind(tmp_path)
        assert process.wait() == -9
        engine.wait(10)


@pytest.mark.parametrize("change", [{"pid": os.getpid()}, {"boot": "another machine's"}])
def test_a_process_that_is_not_provably_the_stage_is_let_alone(tmp_path: Path, change: dict[str, str | int]) -> None:
    run = tmp_path / "runs/dpo-1/seed-0"
    with stage(run, "obedient") as (process, _):
        file = run / "running-train.json"
        file.write_text(Running.read(file).model_copy(update=change).model_dump_json())
        assert end_left_behind(tmp_path) == []
        assert process.poll() is None
