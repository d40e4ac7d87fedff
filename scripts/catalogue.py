"""Write the tables of docs/methods.md from the method catalogue."""

from pathlib import Path

from prefsweep.files import write_text
from prefsweep.method_tables import with_tables
from prefsweep.methods import load_methods

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "methods.md"


def page_text() -> str:
    """The page as the catalogue wants it."""
    return with_tables(PAGE.read_text(encoding="utf-8"), load_methods(ROOT / "config" / "methods"))


if __name__ == "__main__":
    write_text(PAGE, page_text())
