"""Score one run: join its answers and lm-eval's log-probabilities to the held-out prompts."""

import argparse
from pathlib import Path

from prefsweep.failures import StageError, recorded
from prefsweep.metrics import score_run
from prefsweep.prepared import heldout_prompts
from prefsweep.records.measure import Evaluation, Generation


def main() -> None:
    arguments = _parse()
    with recorded(arguments.run, "score", arguments.output.parent):
        prompts = heldout_prompts(arguments.heldout.parent, arguments.run)
        generations = list(Generation.read_rows(arguments.generations))
        evaluation = Evaluation.read(arguments.evaluation)
        if evaluation.run != arguments.run:
            raise StageError("score", f"{arguments.evaluation} belongs to {evaluation.run}, not to {arguments.run}")
        score_run(prompts, generations, evaluation).write(arguments.output)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="the run's id: <point>/seed-<n>")
    parser.add_argument("--heldout", type=Path, required=True, help="data/heldout.jsonl of the study")
    parser.add_argument("--generations", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True, help="scores.json")
    return parser.parse_args()


if __name__ == "__main__":
    main()
