"""Describe prepared data: languages, how far rules that need no model get, what tasks share with it, to traits.json."""

import argparse
import json
from pathlib import Path

from prefsweep.failures import recorded
from prefsweep.records.traits import LabelWeights
from prefsweep.traits import traits_of

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--tasks", nargs="*", default=[], help="task files, or names lm-eval knows")
    parser.add_argument("--weights", type=json.loads, default=[], help="how methods weigh labels, as JSON")
    parser.add_argument("--output", type=Path, required=True, help="traits.json")
    options = parser.parse_args()
    with recorded(options.data.parent.name, "describe", options.data):
        weights = [LabelWeights.model_validate(values) for values in options.weights]
        traits_of(options.data, options.tasks, ROOT, weights).write(options.output)


if __name__ == "__main__":
    main()
