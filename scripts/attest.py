"""Hash every record and report file of a study into provenance.json and, as an RO-Crate, ro-crate-metadata.json."""

import argparse
from pathlib import Path

from prefsweep.attestation import CRATE, FILE, artefacts, attest
from prefsweep.files import write_text
from prefsweep.ro_crate import crate_text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directory", type=Path, required=True, help="results/<study>")
    write_attestation(parser.parse_args().study_directory)


def write_attestation(study_directory: Path) -> None:
    """Say what a study's files are now, and by what they were made."""
    files = artefacts(study_directory)
    attestation = attest(study_directory, files, Path(__file__).parent)
    attestation.write(study_directory / FILE)
    write_text(study_directory / CRATE, crate_text(study_directory, attestation, files))


if __name__ == "__main__":
    main()
