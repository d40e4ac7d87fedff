"""Prepare a study's data once for all methods: check, split, filter by length, derive KTO's rows, audit."""

import argparse
import json
import sys
from pathlib import Path

from prefsweep.data_files import source_revision
from prefsweep.dataset import load_dataset_spec
from prefsweep.failures import StageError, recorded
from prefsweep.plan import Plan
from prefsweep.preparation import prepare

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument(
        "--dataset",
        type=json.loads,
        required=True,
        help="the study's `dataset:` as JSON: a name or a mapping",
    )
    parser.add_argument("--max-length", type=int, required=True, help="tokens of prompt and answer")
    parser.add_argument("--downloads", type=Path, required=True, help="folder for data sets fetched from a hub")
    parser.add_argument("--output", type=Path, required=True, help="results/<study>/data")
    options = parser.parse_args()
    plan = Plan.read(options.plan)
    with recorded(plan.study, "prepare", options.output):
        run(options, plan)


def run(options: argparse.Namespace, plan: Plan) -> None:
    spec = load_dataset_spec(options.dataset, ROOT / "config" / "datasets", Path.cwd())
    if source_revision(spec) != plan.data.revision:
        what = f"the data set {spec.name} has changed since the study was planned"
        raise StageError("data", what, "Run the same command again: it plans anew for the changed data.")
    audit = prepare(spec, options.downloads, plan.model.folder(ROOT), options.max_length, options.output)
    for line in (*audit.formats, *audit.notices):
        print(line, file=sys.stderr)
    print(f"{audit.training_rows} training rows, {audit.heldout_rows} held-out rows", file=sys.stderr)


if __name__ == "__main__":
    main()
