"""Compare a study's points with the untouched model and write the report: page, tables and every answer.

The report is made from whatever exists; a run that failed or has not finished is a row in it, never a gap.
"""

import argparse
import sys
from pathlib import Path

from prefsweep.comparison import compared
from prefsweep.failures import classify
from prefsweep.page import write_page
from prefsweep.report_tables import write_tables
from prefsweep.results import read_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directory", type=Path, required=True, help="results/<study>")
    parser.add_argument("--output", type=Path, required=True, help="results/<study>/report")
    parser.add_argument("--partial", action="store_true", help="say at the top how much of the study is in")
    options = parser.parse_args()
    study = read_study(options.study_directory)
    if (missing := study.with_status("unfinished")) and not options.partial:
        sys.exit(f"{missing[0].run.id} and {len(missing) - 1} more have left nothing: --partial reports what exists")
    comparison = compared(study)
    try:
        write_tables(study, comparison, options.output)
        write_page(study, comparison, options.output / "index.html", partial=options.partial)
    except OSError as error:
        failure, remedy = classify(error)
        if failure != "disk":
            raise
        sys.exit(f"the report was not written ({failure}): {error}\n  remedy: {remedy}")


if __name__ == "__main__":
    main()
