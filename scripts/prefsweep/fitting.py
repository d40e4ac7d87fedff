"""The trainer's processes: one, or one for each GPU of a run, started, watched and stopped by the job that owns them.

The job itself stays small and outside the engine, so that it lives to say what ended them, whatever that was.
"""

import errno
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from prefsweep.failures import FailureClass, StageError, classify, terminated
from prefsweep.lifetime import oom_kills
from prefsweep.process_group import forked_group, process_group
from prefsweep.records.base import Record
from prefsweep.records.train import Fit
from prefsweep.stalling import wait_while_alive

ENGINE = "prefsweep.training"
"""What a trainer loads, which takes seconds, and a job of its own does not, unless it is a fork."""
FIXED = {
    "OMP_WAIT_POLICY": "PASSIVE",  # spinning is 10 % faster alone, and several times slower beside any busy process
    "PYTHONHASHSEED": "0",  # peft writes sets of names, in the order of their hashes
}
"""In every trainer's environment."""
_RESULT, _TROUBLE = "fit.json", "trouble.json"


class Trouble(Record):
    """Why a trainer stopped: StageError's parts, on their way from one process to another."""

    failure: FailureClass
    message: str
    remedy: str


def fit(
    trainer: Path,
    settings: Path,
    directory: Path,
    *,
    processes: int,
    threads: int,
    environment: Mapping[str, str],
    may_fork: bool = False,
    until: int | None = None,
) -> Fit:
    """Run `trainer` (scripts/fit.py) on a settings file, in so many processes, which share `threads`.

    `environment` is added to this process's; `may_fork` says that nothing of it is read as the engine is loaded: where
    that is loaded here already, the trainer is a fork. It ends after step `until`, if one is given. Raises StageError
    with the trainer's own words, with what the signal that ended it means, or because it hangs.
    """
    killed_before = oom_kills()
    command = [str(trainer), "--settings", str(settings), "--directory", str(directory)]
    command += ["--until", str(until)] if until else []
    told = {**environment, **FIXED, "OMP_NUM_THREADS": str(max(1, threads // processes))}
    if may_fork and ENGINE in sys.modules and processes == 1:
        group = forked_group(command, told)
    else:
        group = process_group([sys.executable, *_torchrun(processes), *command], told)
    with group as process:
        status = wait_while_alive(process, "the trainer", directory)
    if (directory / _TROUBLE).exists():
        trouble = Trouble.read(directory / _TROUBLE)
        raise StageError(trouble.failure, trouble.message, trouble.remedy)
    if not (directory / _RESULT).exists():
        raise _ended(status, memory_ran_out=processes > 1 and oom_kills() != killed_before)
    # What was reported is whole, and saved. Threads of an engine that trip over each other on the way out cost nothing.
    return Fit.read(directory / _RESULT)


def _torchrun(processes: int) -> list[str]:
    if processes == 1:
        return []
    return ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]


def _ended(status: int, memory_ran_out: bool) -> StageError:
    """A trainer that ended without a word of its own. Of several the kernel's count tells what torchrun does not."""
    if status == -signal.SIGTERM:
        return terminated()
    if status in (errno.ENOSPC, errno.EDQUOT):
        return StageError("disk", "the trainer found no space left on the disk, not even to say so")
    if status in (-signal.SIGKILL, 128 + signal.SIGKILL) or memory_ran_out:
        how = "when memory ran out" if memory_ran_out else "by SIGKILL, as the kernel does when memory runs out"
        return StageError(
            "oom",
            f"the trainer was ended {how}",
            "Give the job more memory, or lower train.micro_batch_size or train.max_length. If somebody killed it, run "
            "the same command again.",
        )
    return StageError("internal", f"the trainer ended with status {status}", "Look at the log's last lines.")


@contextmanager
def reported(directory: Path) -> Iterator[None]:
    """In a trainer: what stops it is told to its owner. Of several trainers that fail the first is heard.

    The others fail because it did. A full disk has no room for the story; then the exit status tells it.
    """
    try:
        yield
    except Exception as error:
        failure, remedy = classify(error)
        trouble = Trouble(failure=failure, message=str(error) or type(error).__name__, remedy=remedy)
        try:
            with suppress(FileExistsError), (directory / _TROUBLE).open("x") as stream:
                stream.write(trouble.model_dump_json())
        except OSError as full:
            (directory / _TROUBLE).unlink(missing_ok=True)
            raise SystemExit(full.errno) from error
        raise


def report(fit: Fit, directory: Path) -> None:
    """In a trainer: what came of it."""
    fit.write(directory / _RESULT)
