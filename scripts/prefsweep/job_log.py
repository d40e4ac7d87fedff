"""What a job that still runs has said: a training's last logged step, or the last line of a log."""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TAIL_BYTES = 1 << 14
_TERMINAL_CODES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class LoggedStep:
    """The engine's last line about a training."""

    step: int
    max_steps: int
    """Of the whole run, also where this one ends at a rung."""
    step_seconds: float
    """Mean over the steps of this job."""


def last_logged(training: Path) -> LoggedStep | None:
    """The last step that ms-swift logged below a run's `training/`; None before the first, and when it has gone.

    The last line may be half written, or about files.
    """
    for log in training.glob("checkpoints/logging.jsonl"):
        for line in reversed(_tail(log).splitlines()):
            with suppress(ValueError, KeyError, AttributeError):
                logged = json.loads(line)
                step, _, steps = logged["global_step/max_steps"].partition("/")
                return LoggedStep(int(step), int(steps), float(logged["train_speed(s/it)"]))
    return None


def last_line(log: Path) -> str:
    """The last line with something to read; progress bars write theirs over each other."""
    lines = (readable(line) for line in reversed(_tail(log).replace("\r", "\n").split("\n")))
    return next(filter(None, lines), "")


def readable(text: str) -> str:
    """A line without what a terminal would obey instead of showing it."""
    return "".join(character for character in _TERMINAL_CODES.sub("", text) if character.isprintable()).strip()


def _tail(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - _TAIL_BYTES))
            return stream.read().decode(errors="replace")
    except OSError:
        return ""
