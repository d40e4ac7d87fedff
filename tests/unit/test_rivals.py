"""Methods against each other: who meets whom, what the judge's verdicts say then, and what one that is away costs."""

import json
import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import judge_rivals
from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.failures import Failure
from prefsweep.files import read_jsonl, write_jsonl
from prefsweep.page import render_page
from prefsweep.plan import Plan, run_directory
from prefsweep.planned_judge import PlannedJudge
from prefsweep.records.audit import DataAudit
from prefsweep.records.base import hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import Ballot, Choice, RivalVerdict
from prefsweep.results import read_study
from prefsweep.rivals import RivalComparison
from prefsweep.rivals_table import COLUMNS, rivals_table
from prefsweep.settings import JudgeConfig
from prefsweep.statistics import ALPHA, holm
from tests.example_study import Shape, build_study
from tests.judge_endpoint import MODEL, Said, Script, ScriptedEndpoint, in_json, prefers, serving_judge

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "config" / "judges" / "pairwise.md"
SHAPE = Shape(methods=("dpo", "orpo", "simpo"), seeds=(0, 1), variants=2, heldout=24, showcase=1, steps=5)
TEST_PROMPTS = 12
UNREACHABLE = "http://127.0.0.1:9/v1"
PAIRS = [("dpo", "orpo"), ("dpo", "simpo"), ("orpo", "simpo")]
Wins = dict[tuple[str, str], tuple[float, float]]
"""Method and opponent → chances of a win and a loss."""


def study_folder(tmp_path: Path, shape: Shape = SHAPE, url: str = UNREACHABLE, **settings: Any) -> Path:
    """A finished study, data attested to, with a judge that compares rivals in its plan."""
    folder = build_study(tmp_path, shape)
    data = folder / "data"
    audit = DataAudit.read(data / "data.json")
    audit.model_copy(update={"files": hashed_files(data)}).write(data / "data.json")
    set_judge(folder, url, **settings)
    return folder


def set_judge(folder: Path, url: str, **settings: Any) -> None:
    config = JudgeConfig.model_validate({"url": url, "model": MODEL, "rivals": "all", "retries": 0} | settings)
    judge = PlannedJudge(settings=config, template=str(TEMPLATE), template_sha256="0" * 64, estimate=None)
    plan = Plan.read(folder / "plan.json")
    plan.model_copy(update={"judge": judge}).write(folder / "plan.json")


def judge(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule's command, in this process."""
    options = {
        "study-directory": folder,
        "template": TEMPLATE,
        "replies": folder / ".judged",
        "vllm": folder / "never-started",
        "output": folder / "rivals",
    }
    arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
    monkeypatch.setattr("sys.argv", ["judge_rivals.py", *arguments])
    judge_rivals.main()


def rivals_of(folder: Path) -> list[RivalComparison]:
    return compared(read_study(folder)).rivals


def ballot(choice: Choice | None) -> Ballot:
    return Ballot(choice=choice, reply="...", requests=1, input_tokens=100, output_tokens=10)


def plant(folder: Path, wins: Wins, keep: Callable[[RivalVerdict], bool] = lambda verdict: True) -> None:
    """Verdicts as a judge would leave them who decides by these chances."""
    study = read_study(folder)
    assert study.plan.judge is not None
    prompts = [HeldOutPrompt.model_validate(row) for row in read_jsonl(folder / "data" / "heldout.jsonl")]
    rows = []
    for rivals in compared(study).rivals:
        win, loss = wins[rivals.point.partition("-")[0], rivals.opponent.partition("-")[0]]
        for run, opponent in rivals.meetings:
            chance = random.Random(run + opponent)
            for prompt in (prompt for prompt in prompts if prompt.half == "test"):
                drawn = chance.random()
                first, second = ("first", "second") if drawn < win else ("second", "first")
                orders = (first, second) if drawn < win + loss else ("tie", "tie")
                verdict = RivalVerdict(
                    prompt=prompt.id, arm_first=ballot(orders[0]), opponent_first=ballot(orders[1]),
                    run=run, opponent=opponent,
                )  # fmt: skip
                rows.append(verdict)
    write_jsonl(folder / "rivals" / "judged.jsonl", [row.model_dump() for row in rows if keep(row)])
    session = {"asked": study.plan.judge.asked, "served_models": [MODEL], "new_requests": 1, "total_seconds": 1.0}
    (folder / "rivals" / "judge.json").write_text(json.dumps(session | {"versions": {}}))


EVEN: Wins = {("dpo", "orpo"): (1.0, 0.0), ("dpo", "simpo"): (0.05, 0.9), ("orpo", "simpo"): (0.4, 0.4)}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = study_folder(tmp_path_factory.mktemp("rivals"), Shape(
        methods=SHAPE.methods, seeds=(0, 1, 2), variants=2, heldout=80, showcase=1, steps=5
    ))  # fmt: skip
    plant(folder, EVEN)
    return folder


@pytest.fixture(scope="module")
def comparison(planted: Path) -> Comparison:
    return compared(read_study(planted))


def test_the_best_of_each_method_on_the_development_half_meet(comparison: Comparison) -> None:
    best = {point.method: point.point for point in comparison.points if point.best_of_method}
    assert [(rivals.point, rivals.opponent) for rivals in comparison.rivals] == [(best[a], best[b]) for a, b in PAIRS]
    for rivals in comparison.rivals:
        assert rivals.meetings == [(f"{rivals.point}/seed-{n}", f"{rivals.opponent}/seed-{n}") for n in range(3)]


def test_or_the_recommended_one_and_the_best_of_every_other(tmp_path: Path) -> None:
    folder = study_folder(tmp_path, rivals="recommended")
    comparison = compared(read_study(folder))
    assert comparison.recommended is not None
    recommended = comparison.point(comparison.recommended).method
    assert {rivals.point for rivals in comparison.rivals} == {comparison.recommended}
    opponents = [rivals.opponent.partition("-")[0] for rivals in comparison.rivals]
    assert opponents == [method for method in SHAPE.methods if method != recommended]


def test_the_win_rate_has_the_verdict_rule_of_any_metric(comparison: Comparison) -> None:
    ahead, behind, even = comparison.rivals
    assert [rivals.verdict for rivals in comparison.rivals] == ["better", "worse", "not resolved"]
    assert ahead.reason.startswith("better: +50.0 pp")
    assert even.reason.startswith("not resolved: difference")
    for rivals in (ahead, behind, even):
        assert rivals.win_rate is not None
        assert rivals.win_rate.difference is not None
        assert rivals.win_rate.difference.estimate == pytest.approx(rivals.win_rate.mean.estimate - 0.5)
        assert rivals.length_controlled is not None
        assert "3 seeds: a claim about a method wants at least 5" in rivals.caveats
    assert even.win_rate is not None
    assert even.win_rate.mean.low < 0.5 < even.win_rate.mean.high


def test_holm_is_over_the_pairs_and_a_pair_that_has_not_met_stays_in(tmp_path: Path, comparison: Comparison) -> None:
    differences = [rivals.win_rate.difference for rivals in comparison.rivals if rivals.win_rate]
    p_values = [difference.p_value for difference in differences if difference]
    assert [rivals.p_adjusted for rivals in comparison.rivals] == holm(p_values)
    folder = study_folder(tmp_path)
    plant(folder, EVEN, keep=lambda verdict: verdict.opponent.startswith("simpo"))
    unmet, *met = rivals_of(folder)
    assert (unmet.verdict, unmet.p_adjusted, unmet.seeds) == ("not finished", None, [])
    assert [one.p_adjusted for one in met] == holm([1.0, *(_p_value(one) for one in met)])[1:]


def _p_value(rivals: RivalComparison) -> float:
    assert rivals.win_rate is not None
    assert rivals.win_rate.difference is not None
    return rivals.win_rate.difference.p_value


def test_one_seed_is_labelled(tmp_path: Path) -> None:
    folder = study_folder(tmp_path, Shape(methods=("dpo", "orpo"), heldout=80, steps=5))
    plant(folder, EVEN)
    study = read_study(folder)
    comparison = compared(study)
    (rivals,) = comparison.rivals
    assert (rivals.verdict, rivals.caveats[0]) == ("better", "one seed: this checkpoint, not this method")
    assert "One seed: these are checkpoints, not methods." in render_page(study, comparison)


def test_a_seed_without_verdicts_forbids_a_claim(tmp_path: Path) -> None:
    folder = study_folder(tmp_path, Shape(methods=("dpo", "orpo"), seeds=(0, 1, 2), heldout=80, steps=5))
    plant(folder, EVEN, keep=lambda verdict: not verdict.run.endswith("seed-1"))
    (rivals,) = rivals_of(folder)
    assert rivals.p_adjusted is not None
    assert rivals.p_adjusted < ALPHA
    assert rivals.reason == "not resolved: 1 of 3 seeds lacks verdicts, which may have gone either way"


def test_missing_verdicts_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = study_folder(tmp_path, Shape(methods=("dpo", "orpo"), heldout=80, steps=5))
    plant(folder, EVEN)
    path = folder / "rivals" / "judged.jsonl"
    rows = [RivalVerdict.model_validate(row) for row in read_jsonl(path)]
    without = [row.model_copy(update={"arm_first": ballot(None)}) for row in rows[:7]]
    write_jsonl(path, [row.model_dump() for row in [*without, *rows[7:]]])
    study = read_study(folder)
    comparison = compared(study)
    found = comparison.rivals[0].win_rate
    assert found is not None
    assert (found.prompts, found.excluded_prompts) == (33, 7)
    table = rivals_table(study, comparison)
    assert (table["judge_missing"][0], table["judge_wins"][0], table["judge_pairs"][0]) == (7, 33, 40)


def test_prompts_that_nobody_was_asked_about_are_not_missing(tmp_path: Path) -> None:
    folder = study_folder(tmp_path, Shape(methods=("dpo", "orpo"), heldout=80, steps=5))
    plant(folder, EVEN, keep=lambda verdict: verdict.prompt < "h0040")
    (rivals,) = rivals_of(folder)
    assert rivals.win_rate is not None
    assert (rivals.win_rate.prompts, rivals.win_rate.excluded_prompts) == (20, 0)


@pytest.mark.parametrize("changed", [{"model": "judge-2"}, {"temperature": 1.0}, {"prompts": 5}, {"rivals": "none"}])
def test_verdicts_that_were_asked_otherwise_do_not_count(tmp_path: Path, changed: dict[str, Any]) -> None:
    folder = study_folder(tmp_path)
    plant(folder, EVEN)
    set_judge(folder, UNREACHABLE, **changed)
    assert all(rivals.win_rate is None for rivals in rivals_of(folder))
    if changed == {"rivals": "none"}:
        assert rivals_of(folder) == []


def test_verdicts_on_a_point_that_is_not_the_best_any_more_do_not_count(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    plant(folder, EVEN)
    best = rivals_of(folder)[0].point
    for run in Plan.read(folder / "plan.json").runs_by_point[best]:
        (run_directory(folder, run.id) / "scores.json").unlink()
    now = rivals_of(folder)
    assert now[0].point != best
    assert [rivals.verdict == "not finished" for rivals in now] == [True, True, False]


def test_the_table_is_documented_and_agrees(planted: Path, comparison: Comparison) -> None:
    text = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    section = next(part for part in text.split("\n## ") if part.startswith("`rivals.csv`"))
    assert re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE) == COLUMNS
    table = rivals_table(read_study(planted), comparison)
    assert list(table["method"] + table["opponent_method"]) == [a + b for a, b in PAIRS]
    outcomes = table[["judge_wins", "judge_ties", "judge_losses", "judge_missing"]]
    assert set(outcomes.sum(axis=1)) == {3 * 40}
    rate = (table["judge_wins"] + table["judge_ties"] / 2) / (3 * 40)
    assert list(table["win_rate"]) == pytest.approx(list(rate))


def test_the_page_says_it(planted: Path, comparison: Comparison) -> None:
    page = render_page(read_study(planted), comparison)
    assert "<h3>Method against method</h3>" in page
    assert "adjusted by Holm over 3 pairs" in page
    assert "In 3 pairs the best points of two methods were compared in the same way." in page
    assert "One seed" not in page


@pytest.fixture
def longer_wins() -> Iterator[ScriptedEndpoint]:
    with serving_judge(prefers(len)) as endpoint:
        yield endpoint


def answers(folder: Path, run: str) -> dict[str, str]:
    return {row["prompt"]: row["answer"] for row in read_jsonl(run_directory(folder, run) / "generations.jsonl")}


def test_they_are_asked_in_both_orders_about_test_prompts_and_nothing_twice(
    tmp_path: Path, longer_wins: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study_folder(tmp_path, url=longer_wins.url)
    judge(folder, monkeypatch)
    rows = [RivalVerdict.model_validate(row) for row in read_jsonl(folder / "rivals" / "judged.jsonl")]
    assert len(rows) == len(PAIRS) * 2 * TEST_PROMPTS
    equal = 0
    for row in rows:
        own, other = (answers(folder, run)[row.prompt] for run in (row.run, row.opponent))
        equal += own == other
        longer = len(own) - len(other)
        assert row.outcome == ("win" if longer > 0 else "loss" if longer < 0 else "tie")
    asked = len(longer_wins.bodies)
    assert asked == 2 * (len(rows) - equal) == len(set(longer_wins.questions))
    halves = {row["id"]: row["half"] for row in read_jsonl(folder / "data" / "heldout.jsonl")}
    assert {halves[row.prompt] for row in rows} == {"test"}

    set_judge(folder, longer_wins.url, rivals="recommended")
    judge(folder, monkeypatch)
    judge(folder, monkeypatch)
    assert len(longer_wins.bodies) == asked, "the same answers, asked about in either order, cost nothing more"


def test_equal_answers_tie_without_asking(
    tmp_path: Path, longer_wins: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study_folder(tmp_path, Shape(methods=("dpo", "orpo"), heldout=24, steps=5), longer_wins.url)
    ((run, opponent),) = rivals_of(folder)[0].meetings
    answered = read_jsonl(run_directory(folder, run) / "generations.jsonl")
    write_jsonl(run_directory(folder, opponent) / "generations.jsonl", answered)
    judge(folder, monkeypatch)
    (rivals,) = rivals_of(folder)
    assert rivals.win_rate is not None
    assert (rivals.win_rate.mean.estimate, longer_wins.bodies) == (0.5, [])
    assert rivals.reason.startswith("not resolved: every prompt gives the same difference")


def test_a_judge_that_follows_the_order_finds_nobody_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_judge(lambda question, before: in_json("A")) as endpoint:
        folder = study_folder(tmp_path, url=endpoint.url)
        judge(folder, monkeypatch)
    study = read_study(folder)
    comparison = compared(study)
    assert {rivals.verdict for rivals in comparison.rivals} == {"not resolved"}
    assert {rivals.win_rate.mean.estimate for rivals in comparison.rivals if rivals.win_rate} == {0.5}
    table = rivals_table(study, comparison)
    assert list(table["judge_first_preferred"]) == [1.0] * 3
    assert "it follows the order of the answers more than the answers" in render_page(study, comparison)


def failed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Failure:
    with pytest.raises(SystemExit) as caught:
        judge(folder, monkeypatch)
    assert caught.value.code == 1
    return Failure.read(folder / "rivals" / "failure-judge.json")


def test_a_judge_that_is_away_costs_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study_folder(tmp_path)
    before = compared(read_study(folder)).points
    assert failed(folder, monkeypatch).failure == "network"
    study = read_study(folder)
    comparison = compared(study)
    assert comparison.points == before
    assert {run.status for run in study.runs} == {"finished"}
    page = render_page(study, comparison)
    assert "The methods were not judged against each other" in page
    assert f"the judge at {UNREACHABLE} failed" in page
    assert "Method against method" not in page


def after(requests: int, said: Said, then: Script) -> Script:
    return lambda question, before: said if before == requests else then(question, before)


def test_what_was_asked_is_kept_and_the_next_call_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_judge(after(30, Said("gone", 500), prefers(len))) as endpoint:
        folder = study_folder(tmp_path, url=endpoint.url, concurrency=1)
        assert "after 30 of " in failed(folder, monkeypatch).message
        judge(folder, monkeypatch)
        assert len(endpoint.bodies) == len(set(endpoint.questions)) + 1
    assert not (folder / "rivals" / "failure-judge.json").exists()
    assert all(rivals.win_rate for rivals in rivals_of(folder))


def test_it_is_paid_for_by_the_studys_budget(
    tmp_path: Path, longer_wins: ScriptedEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = study_folder(tmp_path, url=longer_wins.url, max_requests=20)
    failure = failed(folder, monkeypatch)
    assert failure.failure == "config"
    assert "max_requests 20" in failure.message
    assert len(longer_wins.bodies) == 20
    set_judge(folder, longer_wins.url, max_requests=500)
    judge(folder, monkeypatch)
    assert len(longer_wins.bodies) == len(set(longer_wins.questions))
    assert json.loads((folder / ".judged/spent/example.json").read_text())["requests"] == len(longer_wins.bodies)


def test_records_that_cannot_be_read_are_said(tmp_path: Path) -> None:
    folder = study_folder(tmp_path)
    plant(folder, EVEN)
    (folder / "rivals" / "judged.jsonl").write_text('{"prompt": 1}\n')
    study = read_study(folder)
    assert study.rivals.failure is not None
    assert "rivals/ cannot be read" in render_page(study, compared(study))
