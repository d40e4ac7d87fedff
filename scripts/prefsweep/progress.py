"""How far a long reading is: a bar on a terminal, elsewhere a line every few seconds, nothing while it is short."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LONG_BYTES = 100_000_000
"""From here on reading takes longer than people like to wait without a word: about a second."""
_LINE_SECONDS = 5.0


@contextmanager
def shown(what: str, total_bytes: int) -> Iterator[Callable[[int], None] | None]:
    """Yield a function to tell how many more bytes have been read; None where it is not worth telling."""
    if total_bytes < LONG_BYTES:
        yield None
    elif sys.stderr.isatty():
        # Here, because every call of Snakemake imports this module, and a tenth of a second goes into these.
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn(what), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
            task = bars.add_task(what, total=total_bytes)
            yield lambda count: bars.advance(task, count)
    else:
        yield _Lines(what, total_bytes)


class _Lines:
    """A line on stderr every few seconds, for logs."""

    def __init__(self, what: str, total_bytes: int) -> None:
        self._what = what
        self._total = total_bytes
        self._done = 0
        self._due = time.monotonic() + _LINE_SECONDS

    def __call__(self, count: int) -> None:
        self._done += count
        if time.monotonic() >= self._due:
            self._due += _LINE_SECONDS
            share = f"{self._done / self._total:.0%} of {self._total / 1e6:,.0f} MB"
            print(f"{self._what}: {share}", file=sys.stderr, flush=True)
