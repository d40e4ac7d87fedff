"""The part of a documentation page that a catalogue writes, so that the page says what the catalogue says."""

from collections.abc import Iterable

BEGIN, END = "<!-- written by scripts/catalogue.py -->", "<!-- the rest is written by hand -->"


def with_tables(page: str, tables: str) -> str:
    """The page with `tables` between its two marks. Raises ValueError when it has no marks."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables}\n{END}{after}"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
