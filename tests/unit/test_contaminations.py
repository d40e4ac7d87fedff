"""Known contaminations: the shipped list is well-formed and cited, and found by id or by source."""

from pathlib import Path

import pytest

from prefsweep.contaminations import known_contaminations
from prefsweep.dataset import DatasetSpec
from prefsweep.task_settings import TaskSettings

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "contaminations" / "public.yaml"


def notices(tasks: list[str], **about: str) -> list[str]:
    spec = DatasetSpec.model_validate({"name": "x", "path": "x.jsonl"} | about)
    return known_contaminations(SHIPPED, spec, named(*tasks))


def named(*tasks: str) -> list[TaskSettings]:
    return [TaskSettings(name=task) for task in tasks]


def test_a_hubs_id_and_a_source_are_found() -> None:
    spec = DatasetSpec(name="x", hub="huggingface", id="openbmb/UltraFeedback")
    [notice] = known_contaminations(SHIPPED, spec, named("gsm8k", "truthfulqa_mc1", "truthfulqa_gen"))
    assert notice.startswith("openbmb/UltraFeedback is known to leak into truthfulqa_mc1 and truthfulqa_gen: ")
    assert "https://" in notice
    assert notices(["gsm8k_cot"], source="a sample of Intel/orca_dpo_pairs") != []


def test_other_data_and_other_tasks_are_not_named() -> None:
    assert notices(["truthfulqa_mc1"], source="openbmb/UltraFeedback-cleaned") == []
    assert notices(["hellaswag"], source="openbmb/UltraFeedback") == []


def test_a_wrong_list_is_named(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("known:\n  - {datasets: [a/b], tasks: [x], what: y}\n")
    with pytest.raises(ValueError, match=r"c\.yaml.*"):
        known_contaminations(tmp_path / "c.yaml", DatasetSpec(name="x", path=Path("x")), named("x"))
