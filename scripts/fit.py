"""Train with ms-swift in this process, which scripts/train.py owns: the only one, or one of several under torchrun."""

import argparse
from pathlib import Path

from prefsweep.fitting import report, reported
from prefsweep.records.base import read_document
from prefsweep.swift_settings import as_arguments


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--settings", type=Path, required=True, help="the run's settings file, as `swift rlhf` reads it"
    )
    parser.add_argument("--directory", type=Path, required=True, help="where the outcome goes")
    parser.add_argument("--until", type=int, help="optimiser step to end after (default: the last one)")
    options = parser.parse_args()
    with reported(options.directory):
        from prefsweep.training import leave, train  # loads torch and ms-swift

        if fitted := train(as_arguments(read_document(options.settings)), options.until):
            report(fitted, options.directory)
        leave()


if __name__ == "__main__":
    main()
