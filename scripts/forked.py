"""Run a job's command in a fork of a process that has loaded the engine already; anew where there can be none.

    python scripts/forked.py scripts/train.py --plan …

is what `python scripts/train.py --plan …` is: the same output, the same exit status, ended by the same signals. The
process that is forked is made by the first job, and belongs to the call of Snakemake that PREFSWEEP_FORKS_FOR names.
"""

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from prefsweep.credentials import without_secrets
from prefsweep.fork_host import address, answers, ask, host, is_mine

OWNER = "PREFSWEEP_FORKS_FOR"
_LOADING_SECONDS = 300.0


@dataclass(frozen=True)
class Engine:
    """What scripts of one environment load, and how."""

    modules: tuple[str, ...]
    variables: Callable[[], dict[str, str]]
    """Set as they are loaded, whatever the job that asks first has."""
    idle_seconds: float
    """After which a process that nobody asks gives its memory back."""


def of_a_trainer() -> dict[str, str]:
    """What a trainer's environment has when it loads the engine."""
    from prefsweep.fitting import FIXED
    from prefsweep.tracking import OFFLINE

    cores = str(len(os.sched_getaffinity(0)))
    return {name: os.environ.get(name, mode) for name, mode in OFFLINE.items()} | FIXED | {"OMP_NUM_THREADS": cores}


MS_SWIFT = Engine(("prefsweep.training", "prefsweep.merging", "prefsweep.divergence"), of_a_trainer, 60.0)
LM_EVAL = Engine(("lm_eval.evaluator", "lm_eval.tasks", "lm_eval.models.openai_completions"), dict, 900.0)
"""Another run is answered and timed before it is asked again."""


def main() -> None:
    if sys.argv[1] == "--host":
        owner, script = sys.argv[2:]
        engine = engine_of(script)
        host(int(owner), engine.modules, engine.variables(), engine.idle_seconds)
        os._exit(0)  # threads of an engine may trip over each other on the way out
    if (owner := os.environ.pop(OWNER, "")) and (connection := connected(int(owner), sys.argv[1])):
        with connection:
            exit_like(forked(connection, sys.argv[1:]))
    anew()


def engine_of(script: str) -> Engine:
    return LM_EVAL if Path(script).name == "evaluate.py" else MS_SWIFT


def anew() -> NoReturn:
    """As if this had never been here."""
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])


def connected(owner: int, script: str) -> socket.socket | None:
    """To the owner's host of what a script loads, which is started where there is none; None where none can be."""
    started: subprocess.Popen[bytes] | None = None
    end = time.monotonic() + _LOADING_SECONDS
    while time.monotonic() < end:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(address(owner))
        except OSError:
            connection.close()
            if started and started.poll() is not None:
                break
            started = started or start_host(owner, script)
            time.sleep(0.02)
            continue
        if is_mine(connection):
            connection.settimeout(_LOADING_SECONDS)
            return connection
        connection.close()
        break
    return None


def start_host(owner: int, script: str) -> subprocess.Popen[bytes]:
    """What is said as the engine is loaded goes to this job's log."""
    command = [sys.executable, __file__, "--host", str(owner), script]
    environment = without_secrets() | engine_of(script).variables()
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)


def forked(connection: socket.socket, argv: list[str]) -> int:
    """The exit status of the command in a fork, negative for a signal. Does not return where there can be no fork."""
    told = answers(connection)
    try:
        ask(connection, argv)
        fork = next(told)
    except (OSError, StopIteration):
        anew()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches Snakemake, too, which ends its jobs
    signal.signal(signal.SIGTERM, lambda *_: os.kill(fork, signal.SIGTERM))
    connection.settimeout(None)
    lives = os.pidfd_open(fork)
    for status in told:
        return status
    select.select([lives], [], [])  # the host was ended, and the fork with it
    return -signal.SIGTERM


def exit_like(status: int) -> NoReturn:
    """Exit with a status, or by the signal that it stands for."""
    if status < 0:
        with contextlib.suppress(OSError):  # nobody handles SIGKILL
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


if __name__ == "__main__":
    main()
