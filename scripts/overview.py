"""Put the comparisons of several studies of one file side by side: a page that leads to theirs, and one table."""

import argparse
from pathlib import Path

from prefsweep.overview import write_overview


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>/<name>")
    parser.add_argument("--output", type=Path, required=True, help="results/<study>/report")
    options = parser.parse_args()
    write_overview(options.study_directories, options.output)


if __name__ == "__main__":
    main()
