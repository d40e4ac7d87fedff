"""The report of what exists right now, of one study or of several of one file.

What attests to a whole study goes: that it is missing makes the next call do what is not done yet, though there is a
page.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from prefsweep.asked import overview_folder
from prefsweep.attestation import CRATE, FILE


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    directories = parser.parse_args().study_directories
    outcomes = [reported(directory) for directory in directories]
    if overview := overview_folder(directories):
        outcomes.append(call("overview.py", "--study-directories", *directories, "--output", overview))
    return max(outcomes)


def reported(directory: Path) -> int:
    """Report one study; its trouble is not the others'."""
    for file in (FILE, CRATE):
        (directory / file).unlink(missing_ok=True)
    return call("compare.py", "--partial", "--study-directory", directory, "--output", directory / "report")


def call(script: str, *arguments: str | Path) -> int:
    return subprocess.run([sys.executable, Path(__file__).with_name(script), *arguments], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
