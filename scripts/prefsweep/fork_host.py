"""A process that has loaded an engine once, and from which jobs are forked that would each have to load it.

A job asks with its command, its environment and its stdin, stdout and stderr; what is forked for it runs that very
script. Whoever asks is told the exit status, and its end, whatever it was, ends the fork. The host ends with the
process that it serves, and by itself when nobody has asked for a while.
"""

import contextlib
import hashlib
import importlib
import json
import os
import selectors
import signal
import socket
import struct
import sys
import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefsweep.credentials import without_secrets
from prefsweep.forks import STANDARD, become, detach, open_descriptors

_LENGTH = struct.Struct("!Q")
_PEER = struct.Struct("3i")
_OF_EACH_JOB = ("_THREADS", "PREFSWEEP_STALL_SECONDS")
"""How variables end that jobs read as they run."""


def address(owner: int) -> str:
    """Where the host listens that serves `owner` from this interpreter: an abstract socket, no file.

    Raises OSError when there is no such process.
    """
    began = Path(f"/proc/{owner}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[19]
    return "\0prefsweep-" + hashlib.sha256(f"{owner} {began} {sys.prefix} {__file__}".encode()).hexdigest()


def ask(connection: socket.socket, argv: Sequence[str]) -> None:
    """Ask for a fork that runs `argv`, a script and its arguments, as this process would."""
    told = {"argv": list(argv), "directory": str(Path.cwd()), "environment": dict(os.environ)}
    body = json.dumps(told).encode()
    socket.send_fds(connection, [_LENGTH.pack(len(body))], STANDARD)
    connection.sendall(body)


def answers(connection: socket.socket) -> Iterator[int]:
    """What the host says: the fork's process id, and when that has ended its exit status, negative for a signal.

    Fewer than these two where it refuses, or ends.
    """
    with connection.makefile("r") as stream:
        for line in stream:
            yield int(line)


def is_mine(connection: socket.socket) -> bool:
    """Whether the other end is a process of this user's: anybody may listen at, and connect to, an abstract address."""
    _, user, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
    return bool(user == os.getuid())


def host(owner: int, modules: Sequence[str], own: Collection[str], idle_seconds: float) -> None:
    """Load the modules and serve `owner`, in a process of its own; returns at once where there is another host.

    `own` are the variables that this process was given for itself, whatever the job that started it has. It ends when
    nobody has asked for `idle_seconds`.
    """
    os.setsid()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(address(owner))
        except OSError:  # another one's, or the owner is gone
            return
        listener.listen()
        before = dict(os.environ)
        for module in modules:
            importlib.import_module(module)
        nothing = os.open(os.devnull, os.O_RDWR)
        for number in STANDARD:  # which are those of the job that started this
            os.dup2(nothing, number)
        Host(owner, listener, idle_seconds, before, own).serve()


@dataclass
class Host:
    """Serves one owner's jobs from the state this process is in now."""

    owner: int
    listener: socket.socket
    idle_seconds: float
    environment: Mapping[str, str]
    """In which everything was loaded."""
    own: Collection[str]
    """Variables of it that jobs do without."""
    _jobs: dict[int, tuple[int, socket.socket]] = field(default_factory=dict)
    """Pidfd → the fork's process id, and who asked for it."""
    _code: dict[Path, int] = field(default_factory=lambda: _library())

    def serve(self) -> None:
        """Until the owner has ended and so has all that was forked, or nobody has asked for so long."""
        own = open_descriptors() - {self.listener.fileno()}
        with selectors.DefaultSelector() as waiting:
            waiting.register(self.listener, selectors.EVENT_READ, "asked")
            owner = waiting.register(os.pidfd_open(self.owner), selectors.EVENT_READ, "left")
            while self._jobs or owner in waiting.get_map().values():
                if not (ready := waiting.select(None if self._jobs else self.idle_seconds)):
                    return
                for key, _ in ready:
                    if key.data == "asked":
                        self._accept(waiting, own)
                    elif key.data == "ended":
                        self._ended(key.fd, waiting)
                    else:
                        waiting.unregister(key.fileobj)

    def _accept(self, waiting: selectors.BaseSelector, own: frozenset[int]) -> None:
        connection, _ = self.listener.accept()
        try:
            asked, standard = _received(connection)
        except (OSError, ValueError):
            connection.close()
            return
        if not is_mine(connection) or not self._fits(asked):
            connection.close()
        elif pid := os.fork():
            watch = os.pidfd_open(pid)
            waiting.register(watch, selectors.EVENT_READ, "ended")
            self._jobs[watch] = pid, connection
            _say(connection, pid)
        else:
            for number, descriptor in zip(STANDARD, standard, strict=True):
                os.dup2(descriptor, number)
            detach(own | {connection.fileno()})
            threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
            os.chdir(asked["directory"])
            become(asked["argv"], asked["environment"] | self._set_by_modules())
        for descriptor in standard:
            os.close(descriptor)

    def _ended(self, watch: int, waiting: selectors.BaseSelector) -> None:
        pid, connection = self._jobs.pop(watch)
        waiting.unregister(watch)
        os.close(watch)
        with connection:
            _say(connection, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

    def _fits(self, asked: Mapping[str, Any]) -> bool:
        """Whether what was loaded is what the job would load: the same environment and the same files."""
        alike = self._lasting(asked["environment"]) == self._lasting(self.environment)
        return alike and _library() == self._code

    def _lasting(self, environment: Mapping[str, str]) -> dict[str, str]:
        """What an engine may have read as it was loaded, without secrets, which this process does not have."""
        kept = without_secrets(environment).items()
        return {name: value for name, value in kept if name not in self.own and not name.endswith(_OF_EACH_JOB)}

    def _set_by_modules(self) -> dict[str, str]:
        """Variables that were set as they were loaded, as they would be in the job."""
        return {name: value for name, value in os.environ.items() if self.environment.get(name) != value}


def _received(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """A question, and the asker's stdin, stdout and stderr. Raises ValueError where it is cut short."""
    head, standard, _, _ = socket.recv_fds(connection, _LENGTH.size, len(STANDARD))
    try:
        with connection.makefile("rb") as stream:
            body = stream.read(*_LENGTH.unpack(head))
        return json.loads(body), standard
    except (struct.error, ValueError) as error:
        for descriptor in standard:
            os.close(descriptor)
        raise ValueError("half a question") from error


def _say(connection: socket.socket, number: int) -> None:
    with contextlib.suppress(OSError):  # who asked is gone
        connection.sendall(f"{number}\n".encode())


def _end_with(connection: socket.socket) -> None:
    """Who asked says no more: that there is something to read is its end."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def _library() -> dict[Path, int]:
    """When each file of this library that is loaded was changed, in nanoseconds; 0 where it is gone."""
    files = [Path(module.__file__ or "") for name, module in [*sys.modules.items()] if name.startswith("prefsweep.")]
    return {file: file.stat().st_mtime_ns if file.is_file() else 0 for file in files}
