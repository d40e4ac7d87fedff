"""Who goes on after a rung: the best share of each group, never a failure, always what is finished."""

from pathlib import Path
from typing import Any

import pytest

from prefsweep.admission import left_empty
from prefsweep.failures import Failure, recorded
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.records.score import PromptScores, Scores
from prefsweep.screening import END, decide, decision_file, decisions, reopen, rung_before, stopped_points
from prefsweep.search import Halving
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "kto"), variants=4, heldout=4)


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = build_study(tmp_path_factory.mktemp("plan"), SHAPE)
    return Plan.read(folder / "plan.json").model_copy(update={"halving": Halving(rungs=1)})


def points_of(plan: Plan, method: str) -> list[str]:
    return [point.id for point in plan.points if point.method == method]


def scored(value: float | None, metric: str) -> Scores:
    metrics = {} if value is None else {metric: value}
    prompt = PromptScores(prompt="p", cluster="c", part="heldout", half="development", metrics=metrics)
    return Scores(run="r", prompts=[prompt])


def decided(plan: Plan, values: dict[str, float | None], **changes: Any) -> dict[str, bool]:
    """Point → whether it goes on."""
    scores = {point: scored(value, plan.primary_metric) for point, value in values.items()}
    failures = changes.pop("failures", {})
    decision = decide(plan, 1, scores, failures, dict.fromkeys(values, 9), **changes)
    return {standing.point: standing.kept for standing in decision.standings}


def test_the_best_half_of_each_method_goes_on(plan: Plan) -> None:
    dpo, kto = points_of(plan, "dpo"), points_of(plan, "kto")
    values = dict(zip(dpo, [0.1, 0.4, 0.2, 0.3], strict=True)) | dict(zip(kto, [0.9, 0.8, 0.7, 0.6], strict=True))
    kept = {point for point, goes_on in decided(plan, values).items() if goes_on}
    assert kept == {dpo[1], dpo[3], kto[0], kto[1]}


def test_within_the_study_all_are_compared_with_all(plan: Plan) -> None:
    assert plan.halving is not None
    whole = plan.model_copy(update={"halving": plan.halving.model_copy(update={"within": "study"})})
    dpo, kto = points_of(plan, "dpo"), points_of(plan, "kto")
    values = dict(zip(dpo, [0.1, 0.4, 0.2, 0.3], strict=True)) | dict(zip(kto, [0.9, 0.8, 0.7, 0.6], strict=True))
    assert {point for point, goes_on in decided(whole, values).items() if goes_on} == set(kto)


def test_where_lower_is_better_the_lowest_go_on(plan: Plan) -> None:
    lower = plan.model_copy(update={"primary_metric": "repetition"})
    dpo = points_of(plan, "dpo")
    kept = decided(lower, dict(zip(dpo, [0.1, 0.4, 0.2, 0.3], strict=True)))
    assert [point for point in dpo if kept[point]] == [dpo[0], dpo[2]]


def test_equals_keep_the_plans_order_and_halves_are_rounded_up(plan: Plan) -> None:
    three = points_of(plan, "dpo")[:3]
    assert list(decided(plan, dict.fromkeys(three, 0.5)).values()) == [True, True, False]


def test_a_failed_point_and_one_without_the_metric_never_go_on(plan: Plan) -> None:
    dpo = points_of(plan, "dpo")
    failure = Failure(run="r", stage="train", failure="nan", message="m", remedy="r", last_lines=[])
    kept = decided(plan, {dpo[0]: None, dpo[1]: 0.1}, failures={dpo[2]: failure, dpo[3]: failure})
    assert kept == {dpo[0]: False, dpo[1]: True, dpo[2]: False, dpo[3]: False}


def test_what_is_finished_stays(plan: Plan) -> None:
    dpo = points_of(plan, "dpo")
    kept = decided(plan, dict(zip(dpo, [0.4, 0.3, 0.2, 0.1], strict=True)), finished={dpo[3]})
    assert [point for point in dpo if kept[point]] == [dpo[0], dpo[1], dpo[3]]


def test_the_reason_names_rank_value_and_the_last_that_was_kept(plan: Plan) -> None:
    dpo = points_of(plan, "dpo")
    scores = {point: scored(value, plan.primary_metric) for point, value in zip(dpo, [0.4, 0.3, 0.2, 0.1], strict=True)}
    reasons = stopped_points(decide(plan, 1, scores, {}, {}))
    assert reasons == {
        dpo[2]: "after 25% of its steps rank 3 of 4 in dpo by preference_accuracy on the development half, 20.0 %; "
        "the last of 2 kept has 30.0 %",
        dpo[3]: "after 25% of its steps rank 4 of 4 in dpo by preference_accuracy on the development half, 10.0 %; "
        "the last of 2 kept has 30.0 %",
    }


def test_rungs_are_shares_of_the_steps_below_one() -> None:
    assert Halving(start=0.25, keep=0.5, rungs=2).shares == [0.25, 0.5]
    with pytest.raises(ValueError, match="rung 3 would be at 1 of the steps"):
        Halving(start=0.25, keep=0.5, rungs=3)


def test_decisions_come_before_the_second_rung_and_before_the_end(plan: Plan) -> None:
    two = plan.model_copy(update={"halving": Halving(rungs=2)})
    assert [rung_before(following, two) for following in ("rung-1", "rung-2", END)] == [0, 1, 2]
    assert rung_before(END, plan.model_copy(update={"halving": None})) == 0


def written(plan: Plan, folder: Path, **changes: Any) -> Plan:
    """A study in which every point was screened, and all but the best two of each method were stopped."""
    trained = [point.id for point in plan.points if point.method != BASE]
    scores = {point: scored(1 / number, plan.primary_metric) for number, point in enumerate(trained, start=1)}
    decision = decide(plan, 1, scores, {}, {})
    decision.write(decision_file(folder, END))
    for point in stopped_points(decision):
        run = run_directory(folder, f"{point}/seed-0")
        run.mkdir(parents=True)
        (run / "train.json").touch()
    return plan.model_copy(update=changes)


def empties(folder: Path) -> int:
    return sum(left_empty(path) for path in folder.rglob("*.json"))


def test_a_decision_that_stands_keeps_what_it_left_empty(plan: Plan, tmp_path: Path) -> None:
    reopen(tmp_path, written(plan, tmp_path))
    assert empties(tmp_path) == 4
    assert len(decisions(tmp_path, plan)) == 1


@pytest.mark.parametrize("changes", [{"halving": None}, {"halving": Halving(rungs=1, keep=0.75)},
                                     {"primary_metric": "preference_margin"}])  # fmt: skip
def test_another_rule_opens_the_decision_again(plan: Plan, tmp_path: Path, changes: dict[str, Any]) -> None:
    reopen(tmp_path, written(plan, tmp_path, **changes))
    assert empties(tmp_path) == 0


def test_another_point_opens_the_decision_again(plan: Plan, tmp_path: Path) -> None:
    reopen(tmp_path, written(plan, tmp_path, points=plan.points[:-1]))
    assert empties(tmp_path) == 0
    assert not decision_file(tmp_path, END).exists()


def test_read_only_results_keep_what_is_there(plan: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    changed = written(plan, tmp_path, points=plan.points[:-1])
    monkeypatch.setattr("prefsweep.screening.os.access", lambda folder, _mode: folder != tmp_path)
    reopen(tmp_path, changed)
    assert empties(tmp_path) == 4
    assert decision_file(tmp_path, END).exists()


def test_only_a_rungs_own_failure_lets_the_others_go_on(tmp_path: Path) -> None:
    def status(run: str, error: BaseException) -> int | str | None:
        with pytest.raises(SystemExit) as stopped, recorded(run, "train", tmp_path):
            raise error
        return stopped.value.code

    assert status("dpo-00000000/seed-0/rung-1", RuntimeError("CUDA out of memory")) == 3
    assert status("dpo-00000000/seed-0", RuntimeError("CUDA out of memory")) == 1
    assert status("dpo-00000000/seed-0/rung-1", KeyboardInterrupt()) == 1
    assert status("dpo-00000000/seed-0/rung-1", OSError(28, "No space left on device")) == 1
