"""Write the tables of docs/methods.md from the method catalogue, and that of docs/results.md from the metrics."""

from pathlib import Path

from prefsweep.against_base import REPORTED
from prefsweep.files import write_text
from prefsweep.method_tables import method_tables
from prefsweep.methods import load_methods
from prefsweep.metric_table import metric_table
from prefsweep.written_tables import with_tables

ROOT = Path(__file__).resolve().parent.parent
METHODS_PAGE = ROOT / "docs" / "methods.md"
RESULTS_PAGE = ROOT / "docs" / "results.md"


def page_texts() -> dict[Path, str]:
    """The pages as the catalogues want them."""
    tables = {
        METHODS_PAGE: method_tables(load_methods(ROOT / "config" / "methods")),
        RESULTS_PAGE: metric_table(REPORTED.values()),
    }
    return {page: with_tables(page.read_text(encoding="utf-8"), text) for page, text in tables.items()}


if __name__ == "__main__":
    for page, text in page_texts().items():
        write_text(page, text)
