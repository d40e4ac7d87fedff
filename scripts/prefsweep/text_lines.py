"""Lines as text: UTF-8 without NUL, a byte order mark accepted on the first."""

from pathlib import Path

from prefsweep.rows import Problems


def text_of(raw: bytes, offset: int, number: int, path: Path, problems: Problems) -> str | None:
    """A line's text; None where it has none, which goes to `problems`. `offset`: the line's first byte in the file."""
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        problems.add("not UTF-8", path, number, f"byte {raw[error.start]:#04x} at offset {offset + error.start}")
        return None
    if number == 1:
        text = text.removeprefix("\ufeff")
    if "\0" in text:
        problems.add("unprintable text", path, number, "NUL", text.index("\0") + 1)
        return None
    return text
