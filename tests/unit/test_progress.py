"""Progress is told where somebody waits: a bar on a terminal, lines elsewhere, nothing for small files."""

import io
import sys
from itertools import count

import pytest

from prefsweep import progress
from prefsweep.progress import LONG_BYTES, shown


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_small_files_are_read_without_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    with shown("checking", LONG_BYTES - 1) as tell:
        assert tell is None
    assert capsys.readouterr().err == ""


def test_logs_get_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = count()
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(seconds))
    with shown("checking rows", 1_000_000_000) as tell:
        assert tell is not None
        for _ in range(12):
            tell(50_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["checking rows: 25% of 1,000 MB", "checking rows: 50% of 1,000 MB"]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown("checking rows", LONG_BYTES) as tell:
        assert tell is not None
        tell(LONG_BYTES)
    assert "checking rows" in terminal.getvalue()
