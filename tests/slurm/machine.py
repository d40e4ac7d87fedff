"""One machine of the cluster: a daemon and all that it starts, which are gone when this process's stdin closes.

So pulling the plug of a node is closing a pipe, and however the tests end, no daemon and no job outlives them.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36


def main(command: list[str]) -> None:
    """Run a daemon in the foreground until stdin closes, then kill what it left, jobs in their own sessions too."""
    # Orphans become children of this process, so that everything the daemon started can be found below it.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    subprocess.Popen(command, stdin=subprocess.DEVNULL)
    sys.stdin.read()
    while below := descendants(os.getpid()):
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        time.sleep(0.02)


def descendants(ancestor: int) -> list[int]:
    """Every process below one, itself left out."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The second field is a name in brackets that may hold anything; the parent's id is the fourth.
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [ancestor]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


if __name__ == "__main__":
    main(sys.argv[1:])
