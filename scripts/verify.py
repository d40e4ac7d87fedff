"""Check a finished study from its results folder alone, without models, engines or its study file.

Every hashed file is unchanged, weights that are still there are those of the records, scores follow from the answers,
and the report follows from the records, cell by cell and byte by byte. Exit status 1 if anything does not.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from prefsweep.asked import overview_folder
from prefsweep.attestation import CRATE, FILE, WRITERS, Attestation
from prefsweep.files import sha256_of
from prefsweep.provenance import checkout, installed_versions
from prefsweep.verification import (
    absent_weights,
    changed_files,
    changed_weights,
    circumstances_apart,
    underived,
    underived_scores,
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    directories = parser.parse_args().study_directories
    outcomes = [verified(directory) for directory in directories]
    overview = overview_folder(directories)
    if overview and all((directory / FILE).exists() for directory in directories):
        outcomes.append(told(overview, derived_again(overview, "overview.py", "--study-directories", *directories)))
    return max(outcomes)


def verified(directory: Path) -> int:
    """Check one study and say what was found; 1 if anything is not as it was."""
    try:
        attestation = Attestation.read(directory / FILE)
    except FileNotFoundError:
        return told(directory, [f"{FILE} is missing: the study has not finished; run snakemake first"])
    except ValueError as error:
        return told(directory, [str(error)])
    notes = circumstances_apart(attestation, checkout(Path(__file__).parent), installed_versions(WRITERS))
    problems = [*changed_files(directory, attestation), *changed_weights(directory), *underived_scores(directory)]
    problems += derived_again(directory / "report", "compare.py", "--study-directory", directory)
    notes += absent_weights(directory)
    if not problems:
        notes.append(f"{CRATE}, which stands for all of it, has SHA-256 {sha256_of(directory / CRATE)}")
    return told(directory, problems, notes)


def told(directory: Path, problems: list[str], notes: list[str] | None = None) -> int:
    for note in notes or []:
        print(f"{directory}: note: {note}")
    for problem in problems:
        print(f"{directory}: {problem}", file=sys.stderr)
    print(f"{directory}: {len(problems)} problems" if problems else f"{directory}: everything is as it was recorded")
    return 1 if problems else 0


def derived_again(report: Path, script: str, *arguments: str | Path) -> list[str]:
    """What in a report folder is not what its script writes now."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, Path(__file__).with_name(script), *arguments, "--output", scratch]
        status = subprocess.run(command, check=False).returncode
        if status:
            return [f"report: cannot be derived: {script} ended with status {status}; its own message is above"]
        return underived(report, Path(scratch))


if __name__ == "__main__":
    sys.exit(main())
