"""The report's files beside the page: its tables and every answer."""

from pathlib import Path

from prefsweep.bibliography import bibliography, load_references
from prefsweep.comparison import Comparison
from prefsweep.files import write_jsonl, write_text
from prefsweep.lesson_tables import hyperparameters_table, tries_table
from prefsweep.methods_text import REFERENCES, methods_text
from prefsweep.point_table import comparison_table
from prefsweep.printed_table import latex_table, markdown_table
from prefsweep.results import StudyResults
from prefsweep.rivals_table import rivals_table
from prefsweep.run_table import runs_table
from prefsweep.samples import sample_rows
from prefsweep.spreadsheet import csv_text
from prefsweep.tax_table import tasks_table


def write_tables(study: StudyResults, comparison: Comparison, directory: Path) -> None:
    """Write the report's tables and `samples.jsonl`, each atomically."""
    write_text(directory / "runs.csv", csv_text(runs_table(study, comparison)))
    write_text(directory / "comparison.csv", csv_text(comparison_table(study, comparison)))
    write_text(directory / "comparison.md", markdown_table(study, comparison))
    write_text(directory / "comparison.tex", latex_table(study, comparison))
    references = load_references(REFERENCES)
    text = "\n\n".join(methods_text(study, comparison, references)) + "\n"
    write_text(directory / "methods.md", text)
    write_text(directory / "references.bib", bibliography(text, references))
    write_text(directory / "tasks.csv", csv_text(tasks_table(comparison)))
    write_text(directory / "hyperparameters.csv", csv_text(hyperparameters_table(comparison)))
    write_text(directory / "tries.csv", csv_text(tries_table(comparison)))
    write_text(directory / "rivals.csv", csv_text(rivals_table(study, comparison)))
    write_jsonl(directory / "samples.jsonl", sample_rows(study))
