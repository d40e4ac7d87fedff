"""What is printed of a plan, and its CSV."""

import csv
import io
from pathlib import Path

from rich.console import Console

from prefsweep.plan import BASE, Estimate, Plan, Run, StageEstimate
from prefsweep.plan_table import MOST_POINTS, Cost, as_csv, show
from prefsweep.planned_judge import JudgeEstimate, PlannedJudge
from prefsweep.search import Halving
from prefsweep.settings import JudgeConfig
from tests.example_study import METHODS, Shape, build_study


def stage(name: str, hours: float, gpus: int = 0, basis: str = "first guess") -> StageEstimate:
    return StageEstimate(stage=name, seconds=3600 * hours, gpus=gpus, disk_bytes=1 << 30, basis=basis)  # type: ignore[arg-type]


def planned(tmp_path: Path, *, gpus: int = 0, basis: str = "first guess", variants: int = 1) -> Plan:
    shape = Shape(seeds=(0, 1), variants=variants, unfinished=(BASE, *METHODS))
    plan = Plan.read(build_study(tmp_path, shape) / "plan.json")
    after = [stage("merge", 0.1, gpus, basis), stage("measure", 0.2, gpus, basis)]
    trained = Estimate(
        steps=9, sequences=288, tokens=14_000, seconds=1.0, disk_bytes=3 << 30,
        stages=[stage("train", 1, gpus, basis), *after, stage("drift", 0.1, gpus, basis)],
    )  # fmt: skip
    base = Estimate(steps=0, sequences=0, tokens=0, seconds=1.0, disk_bytes=2 << 30, stages=after)
    runs = [run.model_copy(update={"estimate": base if run.id.startswith("base") else trained}) for run in plan.runs]
    device = "cuda" if gpus else "cpu"
    return plan.model_copy(update={"runs": runs, "device": device})


def printed(plan: Plan, width: int = 120) -> str:
    console = Console(file=io.StringIO(), width=width)
    show(plan, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_each_point_has_its_costs_by_stage(tmp_path: Path) -> None:
    text = printed(planned(tmp_path))
    [row] = [line.split() for line in text.splitlines() if line.strip().startswith("dpo beta=0.1 lr=0.0002 ")]
    assert row[-10:] == ["2", "18", "576", "28,000", "~2.00", "~0.20", "~0.40", "~0.20", "8.0", "GiB"]
    [base] = [line.split() for line in text.splitlines() if line.strip().startswith("base  ")]
    assert base[-10:] == ["1", "0", "0", "0", "–", "~0.10", "~0.20", "–", "2.0", "GiB"]
    assert "train h" in text
    assert "~ a first guess" in text
    assert "all together 14.3 hours, one run after the other" in " ".join(text.split())
    assert "smallest detectable difference unknown before runs of this study have finished (5 points, 2 seeds" in text


def test_what_was_learnt_is_no_guess_and_gpus_are_counted(tmp_path: Path) -> None:
    text = printed(planned(tmp_path, gpus=2, basis="finished runs"), width=140)
    [row] = [line.split() for line in text.splitlines() if line.strip().startswith("dpo beta=0.1 lr=0.0002 ")]
    assert row[-5:] == ["0.40", "0.80", "0.40", "8.0", "GiB"]
    assert "train GPU-h" in text
    assert "~" not in text
    assert "28.6 GPU-hours" in text


def test_many_points_are_grouped_by_method_with_their_ranges(tmp_path: Path) -> None:
    plan = planned(tmp_path, variants=MOST_POINTS)
    text = printed(plan)
    assert len(text.splitlines()) < 50
    assert "dpo: 40 points" in text
    assert "learning_rate 0.0002–0.008" in text
    assert "every point: results/example/plan.csv" in text
    assert len(list(csv.DictReader(io.StringIO(as_csv(plan))))) == len(plan.points)


def test_the_csv_has_every_point_with_its_units(tmp_path: Path) -> None:
    base, first, *_ = csv.DictReader(io.StringIO(as_csv(planned(tmp_path, gpus=2))))
    assert (base["train_gpu_hours"], base["train_basis"], base["merge_gpu_hours"]) == ("", "", "0.2")
    assert (first["runs"], first["train_gpu_hours"], first["train_basis"]) == ("2", "4.0", "first guess")
    assert first["objective"].startswith("−log σ")


def test_unknown_costs_are_unknown(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    unknown = Estimate(steps=None, sequences=None, seconds=None, disk_bytes=None)
    runs = [Run(id=run.id, point=run.point, seed=run.seed, estimate=unknown) for run in plan.runs]
    plan = plan.model_copy(update={"runs": runs})
    assert Cost.of(plan.runs).hours is None
    assert "? unknown until the model has been fetched" in printed(plan)
    assert {row["train_hours"] for row in csv.DictReader(io.StringIO(as_csv(plan)))} == {""}


def test_halving_says_what_it_leaves_of_the_costs(tmp_path: Path) -> None:
    plan = planned(tmp_path, variants=4)
    screening = [
        run.model_copy(update={"id": f"{run.id}/rung-{rung}", "rung": rung})
        for rung in (1, 2)
        for run in plan.runs
        if run.seed == 0 and not run.id.startswith("base")
    ]
    text = printed(plan.model_copy(update={"halving": Halving(), "screening": screening}))
    # 20 points × 1.4 h at the first rung, 10 at the second; 5 × 2 seeds to the end; 0.3 h for the base.
    assert "halving: points are compared at 2 rungs, 5 of 20 go to the end: about 56.3 hours, 42.0 of them" in text


def test_what_a_judge_takes_is_a_line(tmp_path: Path) -> None:
    settings = JudgeConfig(url="http://127.0.0.1/v1", model="judge[red]")
    estimate = JudgeEstimate(requests=1200, input_tokens=3_000_000, output_tokens=600_000)
    judge = PlannedJudge(settings=settings, template="t.md", template_sha256="0", estimate=estimate)
    console = Console(record=True, width=200, file=io.StringIO())
    show(planned(tmp_path).model_copy(update={"judge": judge}), console)
    told = "judge judge[red] at http://127.0.0.1/v1: up to 1,200 requests, at most about 3,600,000 tokens"
    assert told in console.export_text()
