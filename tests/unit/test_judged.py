"""A judge's verdicts in a study: joined to the scores, compared like any metric, in the tables and on the page."""

import random
import re
from pathlib import Path
from typing import Any

import pytest

from attest import write_attestation
from compare import compared
from prefsweep.attestation import CRATE
from prefsweep.bibliography import load_references
from prefsweep.comparison import Comparison
from prefsweep.failures import Failure
from prefsweep.files import write_jsonl
from prefsweep.judge_summary import judge_columns
from prefsweep.length_control import LengthControlled, length_controlled
from prefsweep.methods_text import REFERENCES, methods_text
from prefsweep.metrics import WIN_RATE
from prefsweep.page import render_page
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.planned_judge import PlannedJudge, ServedJudge
from prefsweep.point_table import comparison_table
from prefsweep.records.base import read_document
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import Ballot, Choice, JudgedPair, JudgeRecord
from prefsweep.report_tables import write_tables
from prefsweep.results import StudyResults, read_study
from prefsweep.run_table import runs_table
from prefsweep.settings import JudgeConfig
from tests.example_study import Shape, build_study

SHAPE = Shape(methods=("dpo", "orpo"), seeds=(0, 1), heldout=40, showcase=1, steps=5)
SETTINGS = JudgeConfig.model_validate(
    {"url": "http://127.0.0.1:1/v1", "model": "judge-1", "price": {"input": 1.0, "output": 2.0}}
)
JUDGE = PlannedJudge(settings=SETTINGS, template="config/judges/pairwise.md", template_sha256="0" * 64, estimate=None)
CHANCES = {"dpo": (0.95, 0.05), "orpo": (0.4, 0.4)}
"""Method → chances of a win and a loss."""


def ballot(choice: Choice | None) -> Ballot:
    return Ballot(choice=choice, reply="...", requests=1, input_tokens=100, output_tokens=10)


def judged_pair(prompt: str, method: str, chance: random.Random) -> JudgedPair:
    win, loss = CHANCES[method]
    drawn = chance.random()
    orders: tuple[Choice, Choice] = (
        ("first", "second") if drawn < win else ("second", "first") if drawn < win + loss else ("first", "first")
    )
    return JudgedPair(prompt=prompt, arm_first=ballot(orders[0]), opponent_first=ballot(orders[1]))


def add_judge(folder: Path, judge: PlannedJudge = JUDGE, *, primary: str = "preference_accuracy") -> Plan:
    """A judge's records for every trained run of a made-up study, and the judge in its plan."""
    plan = Plan.read(folder / "plan.json").model_copy(update={"judge": judge, "primary_metric": primary})
    plan.write(folder / "plan.json")
    prompts = [HeldOutPrompt.model_validate_json(line) for line in (folder / "data/heldout.jsonl").open()]
    for run in plan.runs:
        if (method := plan.point_of(run.id).method) != BASE:
            chance = random.Random(run.id)
            pairs = [judged_pair(prompt.id, method, chance) for prompt in prompts if prompt.half]
            directory = run_directory(folder, run.id)
            write_jsonl(directory / "judged.jsonl", (pair.model_dump() for pair in pairs))
            JudgeRecord(
                run=run.id, opponent=plan.opponent(run.id), asked=judge.asked, served_models=["judge-1-2026"],
                new_requests=80, total_seconds=3.0, versions={},
            ).write(directory / "judge.json")  # fmt: skip
    return plan


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = build_study(tmp_path_factory.mktemp("judged"), SHAPE)
    add_judge(folder, primary=WIN_RATE)
    return folder


@pytest.fixture(scope="module")
def study(folder: Path) -> StudyResults:
    return read_study(folder)


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


def test_the_win_rate_is_a_metric_like_any_other(comparison: Comparison) -> None:
    """The base has one half by definition, so that a difference to it is the win rate less one half."""
    base, dpo, orpo = comparison.points
    assert dpo.metrics[WIN_RATE].difference is not None
    assert dpo.metrics[WIN_RATE].difference.estimate == pytest.approx(dpo.metrics[WIN_RATE].mean.estimate - 0.5)
    assert (dpo.verdict, orpo.verdict) == ("better", "not resolved")
    mean = base.metrics[WIN_RATE].mean
    assert (mean.low, mean.estimate, mean.high) == (0.5, 0.5, 0.5)


def test_missing_verdicts_are_left_out_and_counted(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_judge(folder)
    path = run_directory(folder, plan.runs_by_point[plan.points[1].id][0].id) / "judged.jsonl"
    pairs = [JudgedPair.model_validate_json(line) for line in path.open()]
    without = [pair.model_copy(update={"arm_first": ballot(None)}) for pair in pairs[:10]]
    write_jsonl(path, (pair.model_dump() for pair in [*without, *pairs[10:]]))
    study = read_study(folder)
    comparison = compared(study)
    found = comparison.points[1].metrics[WIN_RATE]
    assert (found.prompts, found.excluded_prompts) == (15, 5)
    columns = judge_columns(study, comparison, comparison.points[1].point)
    assert columns["judge_missing"] == 5
    page = render_page(study, comparison)
    assert "5 comparisons of 80 on the test half have no verdict" in page


def test_a_judge_without_any_verdict_decides_nothing_and_the_page_says_so(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_judge(folder, primary=WIN_RATE)
    for path in folder.glob("runs/*/*/judged.jsonl"):
        pairs = [JudgedPair.model_validate_json(line) for line in path.open()]
        write_jsonl(path, (pair.model_copy(update={"arm_first": ballot(None)}).model_dump() for pair in pairs))
    study = read_study(folder)
    comparison = compared(study)
    assert {point.verdict for point in comparison.points if point.method != BASE} == {"not resolved"}
    assert all(judge_columns(study, comparison, point.id)["judge_missing"] == 40 for point in plan.points[1:])
    assert "80 comparisons of 80 on the test half have no verdict that could be read (100%)" in render_page(
        study, comparison
    )


def test_a_judge_that_the_study_served_is_named_with_what_served_it(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    model = ServedJudge(
        name="referee", source="path: referee", directory="referee", fetched=False, revision="1" * 64, content="1" * 64,
        precision="float32",
    )  # fmt: skip
    settings = JudgeConfig.model_validate({"serve": "referee"})
    plan = add_judge(folder, JUDGE.model_copy(update={"settings": settings, "served": model}))
    run = next(run.id for run in plan.runs if not run.id.startswith(BASE))
    path = run_directory(folder, run) / "judge.json"
    found = JudgeRecord.read(path).model_copy(update={"versions": {"vllm": "0.32.0"}, "served_models": ["judge"]})
    found.write(path)
    study = read_study(folder)
    comparison = compared(study)
    assert "referee (path: referee), served by the study in float32" in render_page(study, comparison)
    told = " ".join(methods_text(study, comparison, load_references(REFERENCES)))
    assert "referee, served by vLLM 0.32.0 in float32, compared answers with the base's in both orders" in told
    write_attestation(folder)
    crate = {entity["@id"]: entity for entity in read_document(folder / CRATE)["@graph"]}
    assert crate["#judge-model"]["version"] == "1" * 64
    action = crate[f"#judge-{run}"]
    assert action["instrument"] == {"@id": "#vllm-0.32.0"}
    assert {"@id": "#judge-model"} in action["object"]


def test_the_columns_agree_with_the_verdicts(study: StudyResults, comparison: Comparison) -> None:
    base, _, orpo = (judge_columns(study, comparison, point.point) for point in comparison.points)
    assert set(base.values()) == {None, ""}
    outcomes = [orpo[f"judge_{name}"] for name in ("wins", "ties", "losses", "missing")]
    assert sum(map(int, filter(None, outcomes))) == 2 * 20
    rate = (outcomes[0] + outcomes[1] / 2) / 40  # type: ignore[operator]
    assert comparison.points[2].metrics[WIN_RATE].mean.estimate == pytest.approx(rate)
    assert orpo["judge_pairs"] == 2 * 40
    assert orpo["judge_second_preferred"] == 0
    assert orpo["judge_agreement"] + orpo["judge_first_preferred"] == pytest.approx(1)  # type: ignore[operator]
    assert orpo["judge_requests"] == 160
    assert orpo["judge_cost"] == pytest.approx(160 * (100 * 1.0 + 10 * 2.0) / 1e6)
    low, middle, high = (orpo[f"length_controlled_{name}"] for name in ("low", "win_rate", "high"))
    assert 0 < low < middle < high < 1  # type: ignore[operator]


def test_the_fit_is_done_once_for_tables_and_page(
    study: StudyResults, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = []

    def counted(*arguments: Any) -> LengthControlled:
        fits.append(arguments)
        return length_controlled(*arguments)

    monkeypatch.setattr("prefsweep.length_control.length_controlled", counted)
    comparison = compared(study)
    write_tables(study, comparison, tmp_path)
    render_page(study, comparison)
    assert len(fits) == len(SHAPE.methods)


def test_tables_and_page_hold_it(study: StudyResults, comparison: Comparison) -> None:
    assert {"judge_wins", "length_controlled_win_rate", "judge_failures"} <= set(comparison_table(study, comparison))
    assert "win_rate_test_mean" in runs_table(study, comparison)
    page = render_page(study, comparison)
    assert '<section id="judge"' in page
    assert '<a href="#judge">' in page
    assert "length-controlled (own fit)" in page
    assert "which called itself judge-1-2026" in page
    assert "AlpacaEval" not in page


def test_its_columns_are_documented_in_order(study: StudyResults, comparison: Comparison) -> None:
    text = (Path(__file__).parents[2] / "docs" / "results.md").read_text(encoding="utf-8")
    section = text.partition("## Of a judge")[2].partition("\n## ")[0]
    documented = re.findall(r"^\| `([^`]+)` \|", section, flags=re.MULTILINE)
    assert list(judge_columns(study, comparison, study.plan.points[1].id)) == documented


def test_a_judge_that_could_not_be_asked_costs_a_run_nothing_else(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_judge(folder)
    run = plan.runs_by_point[plan.points[1].id][0].id
    directory = run_directory(folder, run)
    for name in ("judged.jsonl", "judge.json"):
        (directory / name).unlink()
    Failure(run=run, stage="judge", failure="network", message="nobody there", remedy="start it", last_lines=[]).write(
        directory / "failure-judge.json"
    )
    study = read_study(folder)
    comparison = compared(study)
    assert {one.status for one in study.runs} == {"finished"}
    assert comparison.points[1].seeds_finished == [0, 1]
    assert comparison.points[1].metrics["preference_accuracy"].difference is not None
    assert any("win_rate is missing in" in notice and run in notice for notice in comparison.notices)
    assert (
        judge_columns(study, comparison, comparison.points[1].point)["judge_failures"]
        == f"{run}: network: nobody there"
    )
    assert f"{run} was not judged" in render_page(study, comparison)


@pytest.mark.parametrize("changed", [{"model": "judge-2"}, {"temperature": 1.0}, {"prompts": 10}])
def test_verdicts_of_another_judge_do_not_count(folder: Path, tmp_path: Path, changed: dict[str, object]) -> None:
    other = JUDGE.model_copy(update={"settings": SETTINGS.model_copy(update=changed)})
    copy = build_study(tmp_path, SHAPE)
    plan = add_judge(copy)
    plan.model_copy(update={"judge": other}).write(copy / "plan.json")
    assert all(run.judged.pairs == () for run in read_study(copy).runs)


def test_without_a_judge_there_is_nothing_of_it(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_judge(folder)
    plan.model_copy(update={"judge": None}).write(folder / "plan.json")
    study = read_study(folder)
    comparison = compared(study)
    assert WIN_RATE not in comparison.points[1].metrics
    assert not [name for name in comparison_table(study, comparison) if "judge" in name or "length_controlled" in name]
    assert 'id="judge"' not in render_page(study, comparison)


def test_of_each_half_so_many_prompts_the_same_for_all() -> None:
    halves = [(f"{number:02d}", "test" if number % 3 else "development") for number in range(30)]
    few = JUDGE.model_copy(update={"settings": SETTINGS.model_copy(update={"prompts": 4})})
    chosen = few.judged([*halves[::-1], ("showcase", None)])  # type: ignore[list-item]
    assert sorted(chosen) == ["00", "01", "02", "03", "04", "05", "06", "09"]
    assert len(JUDGE.judged(halves)) == 30  # type: ignore[arg-type]


def test_a_judge_that_follows_the_order_is_called_that(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SHAPE)
    plan = add_judge(folder)
    for run in plan.runs_by_point[plan.points[1].id]:
        path = run_directory(folder, run.id) / "judged.jsonl"
        pairs = [JudgedPair.model_validate_json(line) for line in path.open()]
        biased = {"arm_first": ballot("first"), "opponent_first": ballot("first")}
        write_jsonl(path, (pair.model_copy(update=biased).model_dump() for pair in pairs))
    study = read_study(folder)
    assert "it follows the order of the answers more than the answers" in render_page(study, compared(study))
