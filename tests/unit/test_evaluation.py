"""What lm-eval is given of the held-out prompts."""

import math
from pathlib import Path
from typing import Any

import pytest

from prefsweep.evaluation import as_evaluation, document_value, hub_settings, task_rows
from prefsweep.failures import StageError
from prefsweep.lm_eval_form import leaves, numbers, run_alike, sample
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import TaskConditions
from prefsweep.task_settings import TaskSettings


def heldout(name: str, chosen: str | None, rejected: str | None) -> HeldOutPrompt:
    messages = [{"role": "user", "content": name}]
    return HeldOutPrompt(
        id=name, cluster=name, part="heldout", half="test", messages=messages, chosen=chosen, rejected=rejected
    )


def test_prompts_without_a_preferred_answer_are_not_scored() -> None:
    """Rows labelled one by one leave some: an empty answer would count as one that is easy to predict."""
    prompts = [heldout("a", "yes", "no"), heldout("b", None, "no"), heldout("c", "yes", None)]
    assert task_rows(prompts, ["A", "B", "C"]) == [
        {"id": "a", "prompt": "A", "chosen": "yes", "rejected": "no"},
        {"id": "c", "prompt": "C", "chosen": "yes", "rejected": ""},
    ]


PLAIN = {"limit": None, "num_fewshot": 0, "apply_chat_template": False}


def found(samples: dict[str, list[dict[str, Any]]], **changes: Any) -> dict[str, Any]:
    document = {"tasks": {}, "samples": samples, "groups": {}, "higher_is_better": {}}
    document |= {"conditions": dict.fromkeys(samples, PLAIN)}
    return document | {"task_versions": {}, "seconds": 1.0, "versions": {}} | changes


def row(number: int, values: dict[str, Any], **changes: Any) -> dict[str, Any]:
    given = {"id": None, "number": number, "content": f"{number:064x}", "filter": "none", "values": values}
    return given | {"responses": []} | changes


def test_each_documents_values_are_kept_under_each_filter() -> None:
    rows = [row(n, {"exact_match": float(n == 1)}, filter=kind) for kind in ("strict", "loose") for n in range(2)]
    document = found({"gsm8k": rows}, higher_is_better={"gsm8k": {"exact_match": True}})
    kept = as_evaluation("r", document, []).documents["gsm8k"]
    assert kept.ids == ["0", "1"]
    assert not kept.heldout
    assert kept.values == {"exact_match,strict": [0.0, 1.0], "exact_match,loose": [0.0, 1.0]}
    assert kept.higher_is_better == {"exact_match,strict": True, "exact_match,loose": True}


def test_a_groups_documents_are_together_and_named_by_their_task() -> None:
    groups = {"all": ["a", "b"], "inner": ["b"], "some": ["a", "b"]}
    samples = {"a": [row(0, {"acc": 1.0})], "b": [row(0, {"acc": 0.0})], "c": [row(0, {"acc": True})]}
    kept = as_evaluation("r", found(samples, groups={"all": groups["all"]}), []).documents
    assert list(kept) == ["c", "all"]
    assert (kept["all"].ids, kept["all"].values) == (["a/0", "b/0"], {"acc": [1.0, 0.0]})
    assert leaves("all", {"all": ["inner", "c"], "inner": ["a", "b"]}) == ["a", "b", "c"]


def test_the_studys_own_rows_are_marked_as_such() -> None:
    pairs = [heldout("a", "yes", "no"), heldout("b", "yes", "no")]
    rows = [row(n, {"bits_per_byte": [-4.0, 2]}, id=name) for n, name in enumerate("ab")]
    assert as_evaluation("r", found({"own": rows}), pairs).documents["own"].heldout
    assert not as_evaluation("r", found({"own": [*rows, row(2, {}, id="c")]}), pairs).documents["own"].heldout


@pytest.mark.parametrize(
    ("metric", "raw", "expected"),
    [
        ("acc", True, ("acc", 1.0)),
        ("word_perplexity", [-2 * math.log(8), 3], ("bits_per_word", 2.0)),
        ("byte_perplexity", [-math.log(2) * 10, 5], ("bits_per_byte", 2.0)),
        ("bits_per_byte", [-math.log(2) * 10, 5], ("bits_per_byte", 2.0)),
        ("bits_per_byte", [-1.0, 0], ("bits_per_byte", None)),
        ("perplexity", -math.log(4), ("bits_per_answer", 2.0)),
        ("inst_level_strict_acc", [True, False], ("inst_level_strict_acc", 0.5)),
        ("f1", [1, 0], ("f1", None)),
        ("acc", float("nan"), ("acc", None)),
        ("bypass", None, ("bypass", None)),
    ],
)
def test_what_lm_eval_keeps_of_a_document_as_a_number(metric: str, raw: object, expected: tuple[str, Any]) -> None:
    name, value = document_value(metric, raw)
    assert (name, value) == (expected[0], pytest.approx(expected[1]) if expected[1] is not None else None)


def test_a_metric_that_no_document_has_a_number_for_is_absent() -> None:
    kept = as_evaluation("r", found({"t": [row(0, {"f1": [1, 0], "acc": 1.0})]}), []).documents["t"]
    assert kept.values == {"acc": [1.0]}


def test_a_result_that_is_not_a_number_fails_the_run() -> None:
    with pytest.raises(StageError, match="lm-eval gives nan as acc of t"):
        as_evaluation("r", found({}, tasks={"t": {"acc": float("nan")}}), [])


def test_what_is_taken_from_lm_evals_own_form() -> None:
    values = {"alias": "t", "sample_len": 4, "acc,none": 0.5, "acc_stderr,none": "N/A", "acc,strict": 1}
    assert numbers(values) == {"acc": 0.5, "acc,strict": 1.0}
    given = {"doc": {"id": "a"}, "doc_id": 3, "doc_hash": "f", "filter": "none", "metrics": ["acc"], "acc": 1.0}
    assert sample(given | {"filtered_resps": [1]}) == {
        "id": "a",
        "number": 3,
        "content": "f",
        "filter": "none",
        "values": {"acc": 1.0},
        "responses": [1],
    }


def test_what_was_done_with_a_groups_tasks_is_said_where_it_is_the_same() -> None:
    samples = {name: [row(0, {"acc": 1.0})] for name in "abc"}
    conditions = {
        name: PLAIN | {"limit": 9, "num_fewshot": shots} for name, shots in zip("abc", (5, 5, 3), strict=True)
    }
    groups = {"alike": ["a", "b"], "unlike": ["b", "c"]}
    kept = as_evaluation("r", found(samples, groups=groups, conditions=conditions), []).documents
    assert kept["alike"].conditions == TaskConditions(limit=9, num_fewshot=5, apply_chat_template=False)
    assert kept["unlike"].conditions == TaskConditions(limit=9, num_fewshot=None, apply_chat_template=False)


def test_tasks_of_the_same_settings_are_run_together() -> None:
    """One call applies its settings to all of its tasks."""
    tasks = [dict(TaskSettings(name=name, limit=limit)) for name, limit in (("a", None), ("b", 2), ("c", None))]
    assert [[task["name"] for task in alike] for alike in run_alike(tasks)] == [["a", "c"], ["b"]]


def test_a_hub_is_asked_only_for_documents_that_are_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf-token")
    (tmp_path / "own.yaml").write_text("task: own\ndataset_path: json\n")
    own = TaskSettings(name=str(tmp_path / "own.yaml"))
    offline, online = (hub_settings(tasks) for tasks in ([own], [own, TaskSettings(name="arc_easy")]))
    assert (offline.get("HF_HUB_OFFLINE"), offline.get("HF_TOKEN")) == ("1", None)
    assert (online.get("HF_HUB_OFFLINE"), online.get("HF_TOKEN")) == (None, "hf-token")
