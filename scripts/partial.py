"""The report of what exists right now, of one study or of several of one file.

What attests to a whole study goes: that it is missing makes the next call do what is not done yet, though there is a
page.
"""

import argparse
import subprocess
import sys
from pathlib import Path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    parser.add_argument("--overview", type=Path, help="results/<study>/report, of several studies of one file")
    options = parser.parse_args()
    outcomes = [reported(directory) for directory in options.study_directories]
    if options.overview:
        given = ["--study-directories", *map(str, options.study_directories), "--output", str(options.overview)]
        outcomes.append(call("overview.py", *given))
    return max(outcomes)


def reported(directory: Path) -> int:
    """Report one study; its trouble is not the others'."""
    (directory / "provenance.json").unlink(missing_ok=True)
    given = ["--study-directory", str(directory), "--output", str(directory / "report")]
    return call("compare.py", "--partial", *given)


def call(script: str, *arguments: str) -> int:
    return subprocess.run([sys.executable, str(Path(__file__).with_name(script)), *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
