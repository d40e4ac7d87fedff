"""Check a finished study: every hashed file is unchanged, and the report follows from the records, byte for byte."""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from prefsweep.asked import overview_folder
from prefsweep.plan import Plan
from prefsweep.provenance import artefacts
from prefsweep.records.base import read_document


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    directories = parser.parse_args().study_directories
    outcomes = [verified(directory) for directory in directories]
    overview = overview_folder(directories)
    if overview and all(map(has_finished, directories)):
        outcomes.append(told(overview, underived(overview, "overview.py", "--study-directories", *directories)))
    return max(outcomes)


def has_finished(directory: Path) -> bool:
    return (directory / "provenance.json").exists()


def verified(directory: Path) -> int:
    """Check one study and say what was found; 1 if anything is not as it was."""
    if not has_finished(directory):
        print(
            f"{directory} has no provenance.json: the study has not finished; run snakemake first",
            file=sys.stderr,
        )
        return 1
    return told(directory, [*changed_files(directory), *underived_files(directory)])


def told(directory: Path, problems: list[str]) -> int:
    for problem in problems:
        print(problem, file=sys.stderr)
    print(f"{directory}: {len(problems)} problems" if problems else f"{directory}: every file is as it was recorded")
    return 1 if problems else 0


def changed_files(directory: Path) -> list[str]:
    """Files whose hash is not the recorded one, or that are missing or new."""
    provenance = read_document(directory / "provenance.json")
    recorded = provenance["files"] | {"plan.json": provenance["plan_digest"]}
    found = {file.name: file.sha256 for file in artefacts(directory)}
    found["plan.json"] = Plan.read(directory / "plan.json").digest()
    names = sorted(recorded.keys() | found.keys())
    return [f"{name}: {state(name, recorded, found)}" for name in names if recorded.get(name) != found.get(name)]


def state(name: str, recorded: dict[str, str], found: dict[str, str]) -> str:
    if name not in found:
        return "is missing"
    return "was changed after the report" if name in recorded else "was not there when the report was made"


def underived_files(directory: Path) -> list[str]:
    """Report files that the records no longer give."""
    return underived(directory / "report", "compare.py", "--study-directory", directory)


def underived(report: Path, script: str, *arguments: str | Path) -> list[str]:
    """Files of a report folder that differ from what its script writes now."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, Path(__file__).with_name(script), *arguments, "--output", scratch]
        subprocess.run(command, check=True)
        return [
            f"report/{path.name}: does not follow from the records"
            for path in sorted(Path(scratch).iterdir())
            if not (report / path.name).is_file() or path.read_bytes() != (report / path.name).read_bytes()
        ]


if __name__ == "__main__":
    sys.exit(main())
