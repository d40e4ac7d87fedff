"""The distance from the base: an answer's tokens, what counts of a run's records, its metrics, tables and page."""

from pathlib import Path

import pytest

from compare import compared
from prefsweep.answer_tokens import answer_tokens
from prefsweep.changes import changes
from prefsweep.comparison import Comparison
from prefsweep.failures import Failure, StageError
from prefsweep.files import write_jsonl
from prefsweep.gates.drift import check_divergences
from prefsweep.metric_kinds.drift import DRIFT
from prefsweep.page import render_page
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.point_table import point_rows
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.drift import AnswerDrift
from prefsweep.records.measure import Generation
from prefsweep.results import StudyResults, read_study
from prefsweep.run_table import runs_table
from tests.example_study import Shape, build_study
from tests.tiny_models import make_tokenizer

SHAPE = Shape(methods=("dpo", "orpo"), seeds=(0, 1), heldout=12, showcase=1, steps=5)
DPO = "dpo-00000000/seed-0"
PROMPT = HeldOutPrompt(
    id="p", cluster="p", part="heldout", half="test", messages=[{"role": "user", "content": "Why? 🎉"}], chosen=None,
    rejected=None,
)  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_study(tmp_path, SHAPE)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    return read_study(build_study(tmp_path_factory.mktemp("study"), SHAPE))


@pytest.fixture(scope="module")
def comparison(study: StudyResults) -> Comparison:
    return compared(study)


def _generation(finish_reason: str, prompt_tokens: int) -> Generation:
    return Generation(
        prompt="p", part="heldout", answer="Because. 🎉", finish_reason=finish_reason, prompt_tokens=prompt_tokens,
        output_tokens=9, seconds=1.0,
    )  # fmt: skip


def test_an_answer_is_its_prompt_its_text_and_its_end() -> None:
    tokenizer = make_tokenizer()
    prompt = tokenizer.encode("<|im_start|>user\nWhy? 🎉<|im_end|>\n<|im_start|>assistant\n")
    found = answer_tokens(tokenizer, PROMPT, _generation("stop", len(prompt)))
    assert found.prompt_ids == prompt
    assert tokenizer.decode(found.answer_ids) == "Because. 🎉"
    assert found.ended
    cut = answer_tokens(tokenizer, PROMPT, _generation("length", len(prompt)))
    assert (cut.answer_ids, cut.generated) == (found.answer_ids, found.generated - 1)
    with pytest.raises(StageError, match=f"has {len(prompt)} tokens here and had {len(prompt) + 1} at the server"):
        answer_tokens(tokenizer, PROMPT, _generation("stop", len(prompt) + 1))


@pytest.mark.parametrize("wrong", [-0.01, float("nan"), float("inf")])
def test_a_divergence_is_a_number_that_is_not_negative(wrong: float) -> None:
    check_divergences("p", [0.0, -1e-6, 3.0])
    with pytest.raises(StageError, match="prompt p, token 1 of the answer") as caught:
        check_divergences("p", [0.1, wrong])
    assert caught.value.failure == "nan"


def test_metrics_are_per_token_and_per_answer() -> None:
    answer = AnswerDrift(prompt="p", positions=4, kl_nats=2.0, log_ratio_nats=-1.0)
    assert DRIFT.values(answer) == {"kl_from_base": 0.5, "kl_from_base_per_answer": 2.0, "answer_log_ratio": -0.25}
    assert DRIFT.values(answer.model_copy(update={"positions": 0})) == {}


def test_it_is_joined_by_prompt_and_the_base_is_0_from_itself(folder: Path) -> None:
    path = run_directory(folder, DPO) / "drift.jsonl"
    answers = [AnswerDrift.model_validate_json(line) for line in path.open()]
    changed = [answer.model_copy(update={"kl_nats": float(place)}) for place, answer in enumerate(answers)]
    write_jsonl(path, (answer.model_dump() for answer in changed[::-1]))
    study = read_study(folder)
    by_run = {run.run.id: run.prompt_scores for run in study.runs}
    for place, answer in enumerate(answers):
        assert by_run[DPO][answer.prompt]["kl_from_base_per_answer"] == place
        assert by_run[f"{BASE}-00000000/seed-0"][answer.prompt]["kl_from_base"] == 0


def test_a_point_has_its_distance_and_nothing_is_tested_by_it(study: StudyResults, comparison: Comparison) -> None:
    base, dpo, _ = comparison.points
    kl = dpo.metrics["kl_from_base"]
    assert kl.difference is not None
    assert kl.mean.estimate == kl.difference.estimate > 0
    assert base.metrics["kl_from_base"].mean.estimate == 0
    assert not [change for change in changes(study, comparison) if change.metric.name in DRIFT.entries]
    page = render_page(study, comparison)
    assert f">{kl.mean.estimate:.3f}</td>" in page.partition("Distance from the base, test half")[2]
    assert 'id="spec-tradeoff-kl_from_base_estimate"' in page
    row = runs_table(study, comparison).to_dict("records")[1]
    assert (row["drift_total_seconds"], row["drift_recoded_answers"]) == (31.0, 1)
    assert not any("kl_from_base" in notice for notice in comparison.notices)


def test_of_other_answers_it_does_not_count(folder: Path) -> None:
    generations = run_directory(folder, DPO) / "generations.jsonl"
    lines = generations.read_text().splitlines(keepends=True)
    generations.write_text("".join([*lines[1:], lines[0]]))
    drifted = {run.run.id: run.drifted.record is not None for run in read_study(folder).runs}
    assert [run for run, found in drifted.items() if not found] == [f"{BASE}-00000000/seed-0", DPO]


@pytest.mark.parametrize("left", ["nothing", "half a record"])
def test_a_failure_costs_a_run_its_distance_alone(folder: Path, left: str) -> None:
    directory = run_directory(folder, DPO)
    (directory / "drift.json").unlink()
    if left == "half a record":
        (directory / "drift.json").write_text('{"run": ')
    failure = Failure(run=DPO, stage="drift", failure="oom", message="full", remedy="Free some.", last_lines=[])
    failure.write(directory / "failure-drift.json")
    study = read_study(folder)
    comparison = compared(study)
    assert {run.status for run in study.runs} == {"finished"}
    assert any("kl_from_base is missing in" in notice and DPO in notice for notice in comparison.notices)
    assert point_rows(study, comparison)[1]["drift_failures"] == f"{DPO}: oom: full"
    assert f"{DPO}: full. What to do: Free some." in render_page(study, comparison)


def test_a_study_that_does_without_shows_nothing_of_it(folder: Path) -> None:
    plan = Plan.read(folder / "plan.json").model_copy(update={"kl_from_base": False})
    plan.write(folder / "plan.json")
    study = read_study(folder)
    comparison = compared(study)
    assert not any(set(run.scores.metrics) & set(DRIFT.entries) for run in study.runs if run.scores)
    assert "How far from the base" not in render_page(study, comparison)
