"""Verdicts, selection and wording on studies whose right answer is known."""

from collections.abc import Sequence

import numpy as np
import pytest

from prefsweep.comparison import Comparison, compare
from prefsweep.failures import Failure
from prefsweep.plan import (
    BASE,
    Estimate,
    GenerateSettings,
    Plan,
    PlannedData,
    PlannedModel,
    Point,
    Run,
)
from prefsweep.records.data import Half
from prefsweep.records.score import PromptScores, Scores
from prefsweep.score_table import ScoreTable

METRIC = "preference_margin"
PROMPTS = 60
HALVES: tuple[Half, Half] = ("development", "test")


def _plan(
    *points: str,
    seeds: Sequence[int] = (0,),
    primary: str = METRIC,
    smallest_effect: float = 0.0,
    base: bool = True,
) -> Plan:
    names = [BASE, *points] if base else list(points)
    estimate = Estimate(steps=1, sequences=1, seconds=None, disk_bytes=1)
    return Plan(
        study="test",
        device="cpu",
        primary_metric=primary,
        seeds=list(seeds),
        smallest_effect=smallest_effect,
        model=PlannedModel(
            name="m", directory="m", model_type="llama", template="t", revision="r", source="s", licence=None
        ),
        data=PlannedData(
            name="d", source="s", revision="r", licence=None, synthetic=True, rows=1, heldout_rows=PROMPTS
        ),
        generate=GenerateSettings(
            max_tokens=8, temperature=0, concurrency=[1], repeats=1, timed_tokens=8, timed_requests=1
        ),
        tasks=[],
        points=[
            Point(id=name, method=name.partition("-")[0], label=f"label {name}", settings={}, objective="")
            for name in names
        ],
        runs=[
            Run(id=f"{name}/seed-{seed}", point=name, seed=seed, estimate=estimate)
            for name in names
            for seed in (seeds if name != BASE else seeds[:1])
        ],
        notices=[],
    )


def _scores(
    run: str, test: float, development: float | None = None, prompts: int = PROMPTS, spread: float = 1.0
) -> Scores:
    """Every prompt's base value varies; a run adds its effect on each half, with noise of its own."""
    noise = np.random.default_rng(sum(run.encode())).normal(0, spread, prompts)
    common = np.random.default_rng(0).normal(0, 3, prompts)
    effects: dict[Half, float] = {"test": test, "development": test if development is None else development}
    return Scores(
        run=run,
        prompts=[
            PromptScores(
                prompt=f"p{i}",
                cluster=f"c{i}",
                part="heldout",
                half=half,
                metrics={METRIC: float(common[i] + noise[i] + effects[half]), "emoji": float(i % 3)},
            )
            for i in range(prompts)
            for half in [HALVES[i % 2]]
        ]
        + [PromptScores(prompt="s", cluster="s", part="showcase", half=None, metrics={METRIC: 1e9})],
    )


def _failure(run: str) -> Failure:
    return Failure(run=run, stage="train", failure="oom", message="m", remedy="r", last_lines=[])


def _compare(plan: Plan, scores: Sequence[Scores], failures: Sequence[Failure] = ()) -> Comparison:
    return compare(plan, {score.run: ScoreTable.of(score) for score in scores}, failures, {})


def test_a_large_effect_is_better_and_recommended() -> None:
    found = _compare(_plan("dpo-1"), [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5)])
    base, dpo = found.points
    assert (base.verdict, dpo.verdict, found.recommended) == ("reference", "better", "dpo-1")
    assert dpo.reason.startswith("better: +")
    assert "30 prompts and 1 seed" in dpo.reason
    assert found.headline.startswith("Use label dpo-1")
    assert "One seed: this checkpoint, not this method." in found.headline
    assert dpo.caveats == ["one seed: this checkpoint, not this method"]
    assert (found.test_prompts, found.development_prompts) == (30, 30)


def test_a_large_harm_is_worse_and_the_base_is_kept() -> None:
    found = _compare(_plan("dpo-1"), [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", -5)])
    assert found.point("dpo-1").verdict == "worse"
    assert found.headline.startswith("Keep the untouched model")


def _renamed(scores: Scores, metric: str) -> Scores:
    rows = [row.model_copy(update={"metrics": {metric: row.metrics[METRIC]}}) for row in scores.prompts]
    return scores.model_copy(update={"prompts": rows})


def test_for_a_metric_that_should_fall_less_is_better() -> None:
    plan = _plan("dpo-1", "dpo-2", primary="repetition")
    runs = [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5), _scores("dpo-2/seed-0", -5)]
    found = _compare(plan, [_renamed(run, "repetition") for run in runs])
    assert [row.verdict for row in found.points] == ["reference", "worse", "better"]
    assert found.recommended == "dpo-2"


@pytest.mark.parametrize(
    ("seeds", "caveats"),
    [
        (1, ["one seed: this checkpoint, not this method"]),
        (2, ["2 seeds: a claim about a method wants at least 5"]),
        (4, ["4 seeds: a claim about a method wants at least 5"]),
        (5, []),
    ],
)
def test_few_seeds_are_a_caveat(seeds: int, caveats: list[str]) -> None:
    plan = _plan("dpo-1", seeds=range(seeds))
    found = _compare(plan, [_scores(run.id, 0) for run in plan.runs])
    assert found.point("dpo-1").caveats == caveats


def test_a_small_effect_is_not_resolved_and_says_what_would_resolve_it() -> None:
    found = _compare(_plan("dpo-1"), [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0.3)])
    dpo = found.point("dpo-1")
    detectable = dpo.metrics[METRIC].minimum_detectable_effect
    assert dpo.verdict == "not resolved"
    assert detectable is not None
    assert f"smallest detectable {detectable:.3f} nats with 30 prompts and 1 seed" in dpo.reason
    assert found.headline.startswith("Not resolved. label dpo-1")
    assert "test prompts would resolve a difference this large." in found.headline


def test_an_effect_below_the_worthwhile_one_is_not_resolved() -> None:
    """It is there, but too near to the margin to be shown to lie within it."""
    plan = _plan("dpo-1", smallest_effect=5.2)
    dpo = _compare(plan, [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5)]).point("dpo-1")
    assert dpo.verdict == "not resolved"
    assert "smaller than the smallest worthwhile effect, 5.20 nats" in dpo.reason


def test_a_difference_shown_to_lie_within_the_worthwhile_one_is_equivalent() -> None:
    plan = _plan("dpo-1", smallest_effect=2.0)
    found = _compare(plan, [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0)])
    dpo = found.point("dpo-1")
    assert dpo.verdict == "equivalent"
    assert dpo.reason.startswith("equivalent to base within ±2.00 nats: difference ")
    assert dpo.reason.endswith(
        f"adjusted p {dpo.p_equivalence_adjusted:.3f}, with 30 prompts and 1 seed".replace("0.000", "< 0.001")
    )
    assert found.headline.startswith("Keep the untouched model: label dpo-1")
    assert found.headline.endswith("One seed: this checkpoint, not this method.")


def test_too_few_prompts_to_show_equivalence_are_not_resolved() -> None:
    plan = _plan("dpo-1", smallest_effect=0.2)
    dpo = _compare(plan, [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0)]).point("dpo-1")
    assert (dpo.verdict, dpo.p_equivalence_adjusted is None) == ("not resolved", False)


def test_a_failed_run_is_not_equivalent() -> None:
    plan = _plan("dpo-1", seeds=(0, 1), smallest_effect=2.0)
    scores = [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0)]
    dpo = _compare(plan, scores, [_failure("dpo-1/seed-1")]).point("dpo-1")
    assert dpo.verdict == "not resolved"
    assert dpo.reason.endswith("lies within ±2.00 nats, but 1 failed run of 2 counts as worse")


def test_equivalence_is_adjusted_over_the_family_too() -> None:
    scores = [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0)]
    alone = _compare(_plan("dpo-1", smallest_effect=0.5), scores).point("dpo-1")
    crowd = _compare(_plan(*(f"dpo-{i}" for i in range(1, 41)), smallest_effect=0.5), scores).point("dpo-1")
    assert alone.p_equivalence_adjusted is not None
    assert crowd.p_equivalence_adjusted == pytest.approx(min(1.0, 40 * alone.p_equivalence_adjusted))


def test_failed_seeds_count_as_worse() -> None:
    """Four seeds of five agree: 80 %. With three of five, or with one more failure, they do not."""
    plan = _plan("dpo-1", "dpo-2", seeds=range(5))
    scores = [_scores("base/seed-0", 0)]
    scores += [_scores(f"dpo-1/seed-{seed}", 5) for seed in range(4)]
    scores += [_scores(f"dpo-2/seed-{seed}", 5) for seed in range(3)]
    failures = [_failure("dpo-1/seed-4"), _failure("dpo-2/seed-3"), _failure("dpo-2/seed-4")]
    found = _compare(plan, scores, failures)
    one, two = found.point("dpo-1"), found.point("dpo-2")
    assert (one.verdict, two.verdict) == ("better", "not resolved")
    assert one.reason.endswith("counting 1 failed run as worse")
    assert "only 3 of 5 seeds agree in its sign, counting 2 failed runs as worse" in two.reason
    assert (two.seeds_finished, two.seeds_failed) == ([0, 1, 2], [3, 4])
    assert [failure.run for failure in two.failures] == ["dpo-2/seed-3", "dpo-2/seed-4"]


def test_failed_and_unfinished_points_are_rows_and_never_ranked() -> None:
    plan = _plan("dpo-1", "orpo-1", "kto-1")
    scores = [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0), _scores("orpo-1/seed-0", 99)]
    found = _compare(plan, scores, [_failure("orpo-1/seed-0")])
    assert [row.verdict for row in found.points] == ["reference", "not resolved", "failed", "not finished"]
    assert found.recommended == "dpo-1"
    assert found.point("orpo-1").metrics == {}
    assert found.point("orpo-1").caveats == found.point("kto-1").caveats == [], "the verdict has said so"
    assert found.family == ["dpo-1", "orpo-1", "kto-1"]


def test_points_are_chosen_on_development_and_reported_on_test() -> None:
    plan = _plan("dpo-1", "dpo-2", "orpo-1")
    scores = [
        _scores("base/seed-0", 0),
        _scores("dpo-1/seed-0", test=-4, development=8),
        _scores("dpo-2/seed-0", test=8, development=2),
        _scores("orpo-1/seed-0", test=4, development=4),
    ]
    found = _compare(plan, scores)
    assert {row.point for row in found.points if row.best_of_method} == {"base", "dpo-1", "orpo-1"}
    assert found.recommended == "dpo-1"
    assert found.point("dpo-1").verdict == "worse"
    assert found.headline.endswith("all the same: label dpo-2 and label orpo-1.")
    assert "the best of 3 points" in found.headline
    assert "chosen on one half of the held-out prompts (development) and is judged on the other" in found.headline
    assert found.notices == [
        "Methods had unequal numbers of points to choose from (dpo 2 and orpo 1): more tries, better best."
    ]


def test_many_points_need_more_than_five_per_cent_each() -> None:
    """Holm over the declared family, with the points that have not finished in it."""
    scores = [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 0.7)]
    alone = _compare(_plan("dpo-1"), scores).point("dpo-1")
    crowd = _compare(_plan(*(f"dpo-{i}" for i in range(1, 41))), scores).point("dpo-1")
    assert alone.p_adjusted is not None
    assert crowd.p_adjusted == pytest.approx(min(1.0, 40 * alone.p_adjusted))
    assert (alone.verdict, crowd.verdict) == ("better", "not resolved")


def test_runs_are_paired_by_prompt_id_not_by_order() -> None:
    base, dpo = _scores("base/seed-0", 0), _scores("dpo-1/seed-0", 1)
    reversed_dpo = dpo.model_copy(update={"prompts": dpo.prompts[::-1]})
    assert _compare(_plan("dpo-1"), [base, reversed_dpo]) == _compare(_plan("dpo-1"), [base, dpo])


def _without(scores: Scores, prompts: set[str]) -> Scores:
    return scores.model_copy(
        update={
            "prompts": [
                row.model_copy(update={"metrics": {"emoji": row.metrics["emoji"]}}) if row.prompt in prompts else row
                for row in scores.prompts
            ]
        }
    )


def test_prompts_without_the_metric_are_left_out_and_said() -> None:
    base = _without(_scores("base/seed-0", 0), {"p1", "p3"})
    found = _compare(_plan("dpo-1"), [base, _scores("dpo-1/seed-0", 5)])
    margin = found.point("dpo-1").metrics[METRIC]
    assert (margin.prompts, margin.excluded_prompts) == (28, 2)
    assert found.point("dpo-1").metrics["emoji"].prompts == 30
    assert "2 prompts without preference_margin left out" in found.point("dpo-1").caveats
    assert found.notices == ["preference_margin: up to 2 test prompts without it in some run, left out."]


def test_a_run_without_the_metric_is_left_out_and_named() -> None:
    plan = _plan("dpo-1", seeds=(0, 1))
    everything = {f"p{i}" for i in range(PROMPTS)}
    lacking = _without(_scores("dpo-1/seed-1", 5), everything)
    lacking = lacking.model_copy(update={"prompts": lacking.prompts[:-1]})
    found = _compare(plan, [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5), lacking])
    assert list(found.point("dpo-1").metrics[METRIC].seed_differences) == [0]
    assert found.notices == ["preference_margin is missing in dpo-1/seed-1: left out there, not counted as zero."]
    assert found.point("dpo-1").caveats[0] == "one seed: this checkpoint, not this method"
    assert "One seed: this checkpoint, not this method." in found.headline


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_values_that_are_no_numbers_are_left_out_and_said(value: float) -> None:
    dpo = _scores("dpo-1/seed-0", 5)
    rows = [row.model_copy(update={"metrics": row.metrics | {METRIC: value}}) for row in dpo.prompts[1:6:2]]
    broken = dpo.model_copy(update={"prompts": [dpo.prompts[0], *rows, *dpo.prompts[2:6:2], *dpo.prompts[6:]]})
    scores = [_scores("base/seed-0", 0), broken]
    found = _compare(_plan("dpo-1"), scores)
    point = found.point("dpo-1")
    assert (point.metrics[METRIC].prompts, point.metrics[METRIC].excluded_prompts) == (27, 3)
    without = _compare(_plan("dpo-1"), [_without(one, {"p1", "p3", "p5"}) for one in scores]).point("dpo-1")
    assert point.metrics[METRIC].difference == without.metrics[METRIC].difference
    assert "3 prompts without preference_margin left out" in point.caveats


def test_prompts_that_only_one_side_answered_are_left_out_and_said() -> None:
    dpo, base = _scores("dpo-1/seed-0", 5), _scores("base/seed-0", 0)
    point = _compare(_plan("dpo-1"), [base.model_copy(update={"prompts": base.prompts[:40]}), dpo]).point("dpo-1")
    assert (point.metrics[METRIC].prompts, point.metrics[METRIC].excluded_prompts) == (20, 10)
    assert "with 20 prompts and 1 seed" in point.reason


def test_sides_without_a_prompt_in_common_are_not_resolved() -> None:
    dpo, base = _scores("dpo-1/seed-0", 5), _scores("base/seed-0", 0)
    others = [row.model_copy(update={"prompt": f"other-{row.prompt}"}) for row in base.prompts]
    point = _compare(_plan("dpo-1"), [base.model_copy(update={"prompts": others}), dpo]).point("dpo-1")
    assert point.verdict == "not resolved"
    assert point.reason.endswith("fewer than two test prompts have preference_margin in this point and the base")


def test_cross_checks_stand_beside_the_bootstrap() -> None:
    found = _compare(_plan("dpo-1"), [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5)])
    margin = found.point("dpo-1").metrics[METRIC]
    assert margin.difference is not None
    assert margin.two_way_standard_error == pytest.approx(margin.difference.standard_error, rel=0.05)
    assert (margin.mcnemar_p_value, found.point("base").metrics[METRIC].two_way_standard_error) == (None, None)


def test_a_sampled_base_is_paired_seed_by_seed() -> None:
    plan = _plan("dpo-1", seeds=(0, 1))
    estimate = plan.runs[0].estimate
    extra = Run(id="base/seed-1", point=BASE, seed=1, estimate=estimate)
    plan = plan.model_copy(update={"runs": [*plan.runs, extra]})
    effects = {"base/seed-0": 0, "base/seed-1": 10, "dpo-1/seed-0": 1, "dpo-1/seed-1": 12}
    scores = [_scores(run, effect, spread=0) for run, effect in effects.items()]
    differences = _compare(plan, scores).point("dpo-1").metrics[METRIC].seed_differences
    assert differences == pytest.approx({0: 1.0, 1: 2.0})


@pytest.mark.parametrize("prompts", [0, 1, 2, 3])
def test_almost_no_prompts_still_make_a_comparison(prompts: int) -> None:
    scores = [_scores("base/seed-0", 0, prompts=prompts), _scores("dpo-1/seed-0", 5, prompts=prompts)]
    found = _compare(_plan("dpo-1"), scores)
    assert found.point("dpo-1").verdict == "not resolved"
    assert "fewer than two test prompts" in found.point("dpo-1").reason
    assert found.headline.startswith("Not resolved")


def test_four_unanimous_prompts_are_too_few_for_a_claim() -> None:
    scores = [_scores(f"{name}/seed-0", effect, prompts=8, spread=0) for name, effect in (("base", 0), ("dpo-1", 5))]
    dpo = _compare(_plan("dpo-1"), scores).point("dpo-1")
    assert dpo.reason == "not resolved: difference +5.00 nats, but 4 prompts and 1 seed are too few for any claim"


def test_arms_that_do_not_differ_are_not_resolved_and_never_called_equal() -> None:
    scores = [_scores(f"{name}/seed-0", 0, spread=0) for name in ("base", "dpo-1")]
    dpo = _compare(_plan("dpo-1"), scores).point("dpo-1")
    assert dpo.verdict == "not resolved"
    assert "every prompt gives the same difference, +0.00 nats" in dpo.reason


@pytest.mark.parametrize("base_planned", [True, False])
def test_without_a_base_nothing_is_resolved(base_planned: bool) -> None:
    found = _compare(_plan("dpo-1", base=base_planned), [_scores("dpo-1/seed-0", 5)])
    dpo = found.point("dpo-1")
    assert (dpo.verdict, dpo.metrics[METRIC].difference, found.recommended) == ("not resolved", None, "dpo-1")
    assert "no base with preference_margin" in dpo.reason


def test_nothing_finished_is_a_comparison_too() -> None:
    found = _compare(_plan("dpo-1"), [], [_failure("dpo-1/seed-0")])
    assert [row.verdict for row in found.points] == ["not finished", "failed"]
    assert found.headline == "No run has finished yet: 1 of 2 runs failed."


@pytest.mark.parametrize(
    ("finished", "failed", "headline"),
    [
        ([], [], "No run has finished yet"),
        (["base"], ["dpo-1"], "No trained run has finished yet: 1 of 2 trained runs failed."),
        (["base"], ["dpo-1", "orpo-1"], "Every trained run failed: "),
        ([], ["base", "dpo-1", "orpo-1"], "Every run failed: "),
    ],
)
def test_without_a_finished_run_the_headline_says_what_is_so(
    finished: list[str], failed: list[str], headline: str
) -> None:
    plan, scores = _plan("dpo-1", "orpo-1"), [_scores(f"{point}/seed-0", 0) for point in finished]
    found = _compare(plan, scores, [_failure(f"{point}/seed-0") for point in failed])
    assert found.recommended is None
    assert found.headline.startswith(headline)


@pytest.mark.parametrize("name", ["emoji", "nonsense"])
def test_a_primary_metric_without_a_better_direction_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is unknown or has no better direction; choose one of: preference"):
        _compare(_plan("dpo-1", primary=name), [])


def test_shares_read_as_percentage_points() -> None:
    plan = _plan("dpo-1", primary="preference_accuracy")
    hits = {"base": 10, "dpo-1": 26}
    scores = [
        Scores(
            run=f"{name}/seed-0",
            prompts=[
                PromptScores(prompt=f"{half}{i}", cluster=f"{half}{i}", part="heldout", half=half,
                             metrics={"preference_accuracy": float(i < n)})
                for half in HALVES for i in range(30)
            ],
        )
        for name, n in hits.items()
    ]  # fmt: skip
    dpo = _compare(plan, scores).point("dpo-1")
    assert "better: +53.3 pp (95 % interval +3" in dpo.reason
    assert dpo.metrics["preference_accuracy"].mcnemar_p_value == pytest.approx(2**-15)
    mean = dpo.metrics["preference_accuracy"].mean
    assert 0.69 < mean.low < mean.estimate < mean.high < 0.96


def test_the_record_reads_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    found = _compare(_plan("dpo-1"), [_scores("base/seed-0", 0), _scores("dpo-1/seed-0", 5)])
    path = tmp_path_factory.mktemp("comparison") / "comparison.json"
    found.write(path)
    assert Comparison.read(path) == found
