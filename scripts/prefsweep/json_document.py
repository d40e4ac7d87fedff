"""The elements of one big JSON array or mapping, with their lines, while only a buffer of it is in memory."""

import codecs
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

_CHUNK = 1 << 20
_LONGEST = 1 << 26
"""Characters of one element: a missing quote must not pull the rest of a large file into memory."""
_TOKEN = 8
"""Characters from the end of the buffer within which a fault may only mean that the buffer is cut there."""


class Document:
    """A reader over a stream of UTF-8. `line` is that of the element read last."""

    def __init__(self, stream: BinaryIO, decoder: json.JSONDecoder) -> None:
        self.line = 1
        self._stream = stream
        self._json = decoder
        self._utf8 = codecs.getincrementaldecoder("utf-8-sig")()
        self._text = ""
        self._at = 0
        self._counted = 0
        """How far lines have been counted in `_text`."""
        self._column = 0
        """Characters of the current line that are no longer in `_text`."""
        self._ended = False

    def elements(self, keyed: bool) -> Iterator[tuple[int, Any, str]]:
        """Each element's line, value and text: an array's, or the values of a mapping if `keyed`.

        Raises JSONDecodeError (`place` tells where), UnicodeDecodeError, or what the decoder raises.
        """
        opening, closing = "{}" if keyed else "[]"
        self._expect(opening)
        if self._next() != closing:
            yield self._element(keyed)
            while self._next() == ",":
                self._at += 1
                yield self._element(keyed)
        self._expect(closing)
        if self._next():
            raise json.JSONDecodeError("Extra data", self._text, self._at)

    def place(self, error: json.JSONDecodeError) -> tuple[int, int]:
        """The 1-based line and column of a fault."""
        self._count(error.pos)
        start = self._text.rfind("\n", 0, error.pos)
        return self.line, error.pos - start + (self._column if start < 0 else 0)

    def _element(self, keyed: bool) -> tuple[int, Any, str]:
        if keyed:
            self._next()
            self._value()
            self._expect(":")
        self._next()
        self._count(self._at)
        line = self.line
        return line, *self._value()

    def _value(self) -> tuple[Any, str]:
        while True:
            try:
                value, end = self._json.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated string") or error.pos >= len(self._text) - _TOKEN
                if not cut or len(self._text) - self._at > _LONGEST or not self._more():
                    raise
            else:
                if end < len(self._text) or not self._more():
                    text = self._text[self._at : end]
                    self._at = end
                    return value, text

    def _expect(self, character: str) -> None:
        if self._next() != character:
            raise json.JSONDecodeError(f"Expecting {character!r}", self._text, self._at)
        self._at += 1

    def _next(self) -> str:
        """The next character that is no white space, which stays; nothing at the end."""
        while True:
            while self._at < len(self._text):
                if self._text[self._at] not in " \t\r\n":
                    return self._text[self._at]
                self._at += 1
            if not self._more():
                return ""

    def _more(self) -> bool:
        """Read on, forgetting what has been used; False at the end."""
        if self._ended:
            return False
        self._count(self._at)
        start = self._text.rfind("\n", 0, self._at)
        self._column = self._at - start - 1 if start >= 0 else self._column + self._at
        raw = self._stream.read(max(_CHUNK, len(self._text) - self._at))
        self._ended = not raw
        self._text = self._text[self._at :] + self._utf8.decode(raw, final=self._ended)
        self._at = self._counted = 0
        return True

    def _count(self, position: int) -> None:
        self.line += self._text.count("\n", self._counted, position)
        self._counted = max(self._counted, position)
