"""Hash every record and report file of a study into provenance.json, with the circumstances of the report."""

import argparse
from pathlib import Path

from prefsweep.files import write_json
from prefsweep.plan import Plan
from prefsweep.provenance import artefacts, checkout, hardware, installed_versions


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directory", type=Path, required=True, help="results/<study>")
    parser.add_argument("--output", type=Path, required=True, help="provenance.json")
    options = parser.parse_args()
    plan = Plan.read(options.study_directory / "plan.json")
    provenance = {
        "study": plan.study,
        "plan_digest": plan.digest(),
        "model": plan.model.model_dump(),
        "data": plan.data.model_dump(),
        "checkout": checkout(Path(__file__).parent),
        "hardware": hardware(),
        "versions": installed_versions(),
        "files": {file.name: file.sha256 for file in artefacts(options.study_directory)},
    }
    write_json(options.output, provenance)


if __name__ == "__main__":
    main()
