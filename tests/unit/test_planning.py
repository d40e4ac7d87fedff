"""From study file to plan: what is counted, what is noticed, and what is refused before anything runs."""

import json
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.plan import Plan
from prefsweep.planning import Places, plan_study, planned_study
from tests.tokenizer_model import write_tokenizer_model

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    {
        "messages": [{"role": "user", "content": f"question {n}?"}, {"role": "assistant", "content": f"yes {n}"}],
        "rejected_response": f"no {n}",
    }
    for n in range(40)
]
LABELLED = [{"messages": row["messages"], "label": number % 2 == 0} for number, row in enumerate(PAIRS)]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    write_tokenizer_model(tmp_path / "model")
    return Places(root=ROOT, models=tmp_path / "models", downloads=tmp_path / "downloads", results=tmp_path / "results")


def plan(places: Places, methods: str = "{dpo: }", more: str = "", rows: list[dict[str, object]] = PAIRS) -> Plan:
    directory = places.models.parent
    (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS[30:]))
    (directory / "study.yaml").write_text(
        "study: s\n"
        f"model: {{path: {directory / 'model'}, model_type: llama, template: chatml}}\n"
        f"dataset: {{path: {directory / 'rows.jsonl'}, heldout: {directory / 'heldout.jsonl'}}}\n"
        f"methods: {methods}\n"
        f"device: cpu\n{more}"
    )
    return plan_study(directory / "study.yaml", {}, places).plan


def test_steps_and_sequences_are_the_same_for_every_method(places: Places) -> None:
    found = plan(places, "{dpo: , kto: , simpo: }", "train: {batch_size: 8, epochs: 2}\n", PAIRS[:30])
    trained = [run.estimate for run in found.runs if not run.id.startswith("base")]
    assert {(estimate.steps, estimate.sequences) for estimate in trained} == {(8, 120)}


def test_the_base_needs_one_seed_unless_answers_are_sampled(places: Places) -> None:
    def base_seeds(more: str) -> list[int]:
        return [run.seed for run in plan(places, more=more, rows=PAIRS[:30]).runs if run.id.startswith("base")]

    assert base_seeds("seeds: [4, 5]\n") == [4]
    assert base_seeds("seeds: [4, 5]\ngenerate: {temperature: 0.7}\n") == [4, 5]


def test_notices_say_what_weakens_the_comparison(places: Places) -> None:
    notices = plan(places, "{dpo: {beta: [0.1, 0.9]}, kto: }", rows=PAIRS[:30]).notices
    assert any("One seed" in notice for notice in notices)
    assert any("Unequal tuning budget, points per method: dpo 2, kto 1" in notice for notice in notices)
    assert any("dpo: beta 0.9 is outside the published 0.01–0.5" in notice for notice in notices)


def test_labelled_rows_are_for_kto_alone(places: Places) -> None:
    assert plan(places, "{kto: }", rows=LABELLED[:30]).data.rows == 30
    with pytest.raises(ValueError, match=r"study.yaml:4: methods: .* dpo cannot train on them"):
        plan(places, "{dpo: , kto: }", rows=LABELLED[:30])


def test_a_plan_reads_back_and_its_digest_ignores_estimates(places: Places, tmp_path: Path) -> None:
    found = plan(places, rows=PAIRS[:30])
    found.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == found
    run = found.runs[1]
    slower = run.model_copy(update={"estimate": run.estimate.model_copy(update={"seconds": 99.0})})
    assert found.model_copy(update={"runs": [found.runs[0], slower]}).digest() == found.digest()
    assert found.model_copy(update={"seeds": [9]}).digest() != found.digest()


def test_a_job_on_another_machine_keeps_the_device_that_was_planned(places: Places, tmp_path: Path) -> None:
    planned = plan(places, rows=PAIRS[:30]).model_copy(update={"device": "cuda"})
    with pytest.raises(StageError, match=r"plan\.json is not on this machine"):
        planned_study(tmp_path / "study.yaml", {}, places)
    planned.write(places.results / planned.study / "plan.json")
    assert planned_study(tmp_path / "study.yaml", {}, places).plan == planned


def test_training_on_held_out_prompts_is_refused(places: Places) -> None:
    with pytest.raises(Exception, match="leak"):
        plan(places, rows=PAIRS)
