"""Decide which points go on to a rung, or to the end: the decision, and a list of them with where their runs begin.

Merged weights that only a decision needed are removed.
"""

import argparse
import shutil
from pathlib import Path

from prefsweep.admission import is_finished
from prefsweep.failures import failure_of
from prefsweep.files import write_text
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord
from prefsweep.screening import END, decide, decision_file, rung_before, rung_id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--decision", type=Path, required=True, help="results/<study>/admission/<next>.json")
    decision = parser.parse_args().decision
    study_directory, following = decision.parent.parent, decision.stem
    plan = Plan.read(study_directory / "plan.json")
    admitted = screened(study_directory, plan, following)
    points = {point.id for point in plan.points if point.method != BASE}
    for point in points - admitted.keys():
        for failure in next_failures(study_directory / "runs" / point, following):
            failure.unlink()  # what is stopped has not failed, though it may have, after another decision
    write_text(decision.with_suffix(".txt"), "".join(f"{point} {start}\n" for point, start in admitted.items()))


def screened(study_directory: Path, plan: Plan, following: str) -> dict[str, str]:
    """Point → the folder of its rung, from the study's, for every point that is not stopped."""
    rung = rung_before(following, plan)
    runs = {point.id: rung_id(point.id, plan.seeds[0], rung) for point in plan.points if point.method != BASE}
    folders = {point: run_directory(study_directory, run) for point, run in runs.items()}
    failures = {point: failure for point, folder in folders.items() if (failure := failure_of(folder))}
    scores = {
        point: Scores.read(folder / "scores.json")
        for point, folder in folders.items()
        if point not in failures and (folder / "scores.json").stat().st_size
    }
    steps = {point: TrainRecord.read(folders[point] / "train.json").steps for point in scores}
    finished = {point for point in runs if any(map(is_finished, (study_directory / "runs" / point).glob("seed-*")))}
    decision = decide(plan, rung, scores, failures, steps, finished)
    decision.write(decision_file(study_directory, following))
    for folder in folders.values():
        shutil.rmtree(folder / "merged", ignore_errors=True)
        (folder / "merge.json").unlink(missing_ok=True)
    return {standing.point: f"runs/{runs[standing.point]}" for standing in decision.standings if not standing.stopped}


def next_failures(point: Path, following: str) -> list[Path]:
    """The failures of the runs that are decided on."""
    return list(point.glob("seed-*/failure-*.json" if following == END else f"seed-*/{following}/failure-*.json"))


if __name__ == "__main__":
    main()
