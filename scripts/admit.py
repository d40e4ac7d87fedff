"""Decide which points go on to a rung, or to the end: the decision to one file, each point's fate to one of its own.

A fate is where the point's run begins, and empty where it is stopped. Merged weights that only a decision needed go.
"""

import argparse
import shutil
from pathlib import Path

from prefsweep.failures import failure_of
from prefsweep.files import write_text
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord
from prefsweep.screening import END, decide, decision_file, rung_before, rung_id


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directory", type=Path, required=True, help="results/<study>")
    parser.add_argument("--next", required=True, help="what is decided on: rung-<n> or end")
    options = parser.parse_args()
    plan = Plan.read(options.study_directory / "plan.json")
    rung = rung_before(options.next, plan)
    points = [point.id for point in plan.points if point.method != BASE]
    fates = screened(options.study_directory, plan, rung, options.next) if rung else dict.fromkeys(points, "base")
    for point in points:
        write_text(options.study_directory / "admission" / options.next / point, fates.get(point, ""))
        for failure in [] if point in fates else next_failures(options.study_directory / "runs" / point, options.next):
            failure.unlink()  # what is stopped has not failed, though it may have, after another decision
    if not rung:
        write_text(decision_file(options.study_directory, options.next), "{}\n")


def screened(study_directory: Path, plan: Plan, rung: int, following: str) -> dict[str, str]:
    """Point → the folder of its rung, from the study's, for every point that is not stopped."""
    runs = {point.id: rung_id(point.id, plan.seeds[0], rung) for point in plan.points if point.method != BASE}
    folders = {point: run_directory(study_directory, run) for point, run in runs.items()}
    failures = {point: failure for point, folder in folders.items() if (failure := failure_of(folder))}
    scores = {
        point: Scores.read(folder / "scores.json")
        for point, folder in folders.items()
        if point not in failures and (folder / "scores.json").stat().st_size
    }
    steps = {point: TrainRecord.read(folders[point] / "train.json").steps for point in scores}
    finished = {point for point in runs if is_finished(study_directory / "runs" / point)}
    decision = decide(plan, rung, scores, failures, steps, finished)
    decision.write(decision_file(study_directory, following))
    for folder in folders.values():
        shutil.rmtree(folder / "merged", ignore_errors=True)
        (folder / "merge.json").unlink(missing_ok=True)
    return {standing.point: f"runs/{runs[standing.point]}" for standing in decision.standings if not standing.stopped}


def next_failures(point: Path, following: str) -> list[Path]:
    """The failures of the runs that are decided on."""
    return list(point.glob("seed-*/failure-*.json" if following == END else f"seed-*/{following}/failure-*.json"))


def is_finished(point: Path) -> bool:
    """Whether a point has been trained to the end, with any seed."""
    return any(path.stat().st_size for path in point.glob("seed-*/train.json"))


if __name__ == "__main__":
    main()
