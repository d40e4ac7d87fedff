"""Describe prepared data: languages, and how far rules that need no model get, to traits.json."""

import argparse
from pathlib import Path

from prefsweep.failures import recorded
from prefsweep.traits import traits_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--output", type=Path, required=True, help="traits.json")
    options = parser.parse_args()
    with recorded(options.data.parent.name, "describe", options.data):
        traits_of(options.data).write(options.output)


if __name__ == "__main__":
    main()
