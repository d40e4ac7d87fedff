"""The alignment tax: paired by document, adjusted together, and silent about nothing that is missing."""

from pathlib import Path
from typing import Any

import pytest

from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.pairing import MetricComparison
from prefsweep.records.measure import Evaluation, TaskConditions, TaskDocuments
from prefsweep.results import read_study
from prefsweep.statistics import Interval, minimum_detectable_effect
from prefsweep.tax import TaskTax, alignment_tax
from prefsweep.tax_section import conditions_text, tax_section
from prefsweep.tax_table import tasks_table
from tests.example_study import Shape, build_study

PLAIN = TaskConditions(limit=None, num_fewshot=0, apply_chat_template=False)
BASE, DPO, KTO = "base-00000000", "dpo-00000000", "kto-00000000"
SHAPE = Shape(methods=("dpo", "kto"), seeds=(0, 1), heldout=8, showcase=1, steps=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_study(tmp_path_factory.mktemp("tax"), SHAPE)


def documents(accuracies: list[float | None], start: int = 0, **changes: Any) -> TaskDocuments:
    numbers = range(start, start + len(accuracies))
    given: dict[str, Any] = {"conditions": PLAIN, "heldout": False}
    given |= {"ids": [str(n) for n in numbers], "contents": [f"{n:04x}" for n in numbers]}
    return TaskDocuments(**given | {"values": {"acc": accuracies}, "higher_is_better": {"acc": True}} | changes)


def tax_of(folder: Path, found: dict[str, TaskDocuments]) -> list[TaskTax]:
    """Of one task, for the runs named by point and seed."""
    plan = read_study(folder).plan
    evaluations = {
        run: Evaluation(
            run=run, pairs=[], tasks={}, documents={"own": one}, task_versions={}, total_seconds=1, versions={}
        )
        for run, one in found.items()
    }
    return alignment_tax(plan, evaluations, [DPO, KTO])


def measured(tax: TaskTax, point: str) -> tuple[MetricComparison, Interval]:
    found = tax.points[point]
    assert found.difference is not None
    return found, found.difference


def test_differences_are_paired_by_document_whatever_their_order(folder: Path) -> None:
    values: list[float | None] = [float(n % 3 == 0) for n in range(30)]
    base, same = documents(values), documents(values)
    turned = same.model_copy(
        update={"ids": same.ids[::-1], "contents": same.contents[::-1], "values": {"acc": values[::-1]}}
    )
    (tax,) = tax_of(folder, {f"{BASE}/seed-0": base, f"{DPO}/seed-0": turned, f"{DPO}/seed-1": same})
    found, difference = measured(tax, DPO)
    assert (found.prompts, found.excluded_prompts, difference.estimate, difference.standard_error) == (30, 0, 0, 0)
    assert tax.points[BASE].difference is None
    assert KTO not in tax.points


def test_a_document_with_another_content_is_left_out_and_counted(folder: Path) -> None:
    base = documents([1.0, 0.0, 1.0, 0.0, 1.0, None])
    other = documents([0.0] * 6, contents=["0000", "0001", "0002", "0003", "ffff", "0005"])
    (tax,) = tax_of(folder, {f"{BASE}/seed-0": base, f"{DPO}/seed-0": other})
    found, difference = measured(tax, DPO)
    assert (found.prompts, found.excluded_prompts, difference.estimate) == (4, 3, -0.5)


def test_arms_without_a_common_document_have_no_difference(folder: Path) -> None:
    found = {f"{BASE}/seed-0": documents([1.0] * 5), f"{DPO}/seed-0": documents([0.0] * 5, start=50)}
    (tax,) = tax_of(folder, found)
    assert DPO not in tax.points
    assert not tax.p_adjusted


def test_what_was_measured_in_another_way_is_a_task_of_its_own(folder: Path) -> None:
    """As after a study was changed and its base alone measured again."""
    limited = PLAIN.model_copy(update={"limit": 5})
    base, same = documents([1.0] * 5, conditions=limited), documents([0.0] * 5)
    old, new = sorted(
        tax_of(folder, {f"{BASE}/seed-0": base, f"{DPO}/seed-0": same}), key=lambda tax: tax.conditions.limit or 0
    )
    assert (old.conditions, list(old.points)) == (PLAIN, [DPO])
    assert (new.conditions, list(new.points)) == (limited, [BASE])
    assert old.points[DPO].difference is None


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ({}, ""),
        ({"num_fewshot": 1, "limit": 100}, "1 solved example, first 100 documents"),
        ({"num_fewshot": None, "apply_chat_template": True}, "different numbers of solved examples, as chats"),
    ],
)
def test_how_a_task_was_run_is_said_beside_its_name(conditions: dict[str, Any], text: str) -> None:
    assert conditions_text(PLAIN.model_copy(update=conditions)) == text


def test_copies_of_a_document_are_one_cluster(folder: Path) -> None:
    base: list[float | None] = [float(n % 2) for n in range(12)]
    arm: list[float | None] = [float(n % 3 == 0) for n in range(12)]
    names = {"ids": [str(n) for n in range(24)], "contents": [f"{n % 12:04x}" for n in range(24)]}
    once = tax_of(folder, {f"{BASE}/seed-0": documents(base), f"{DPO}/seed-0": documents(arm)})
    twice = tax_of(
        folder, {f"{BASE}/seed-0": documents(base * 2, **names), f"{DPO}/seed-0": documents(arm * 2, **names)}
    )
    (_, first), (_, second) = measured(once[0], DPO), measured(twice[0], DPO)
    assert second.clusters == 12
    assert second.standard_error == pytest.approx(first.standard_error)


def test_holm_and_the_detectable_effect_cover_every_task_metric_and_point(folder: Path) -> None:
    values: dict[str, list[float | None]] = {
        "acc": [float(n % 2) for n in range(40)],
        "acc_norm": [float(n % 3 == 0) for n in range(40)],
    }
    worse = {name: [0.0 if n % 4 else one for n, one in enumerate(column)] for name, column in values.items()}
    found = {
        f"{BASE}/seed-0": documents([0.0] * 40, values=values),
        f"{DPO}/seed-0": documents([0.0] * 40, values=worse),
    }
    taxes = tax_of(folder, found)
    assert [tax.metric.name for tax in taxes] == ["acc", "acc_norm"]
    smallest = min(taxes, key=lambda tax: measured(tax, DPO)[1].p_value)
    one, difference = measured(smallest, DPO)
    assert smallest.p_adjusted[DPO] == pytest.approx(min(1, 4 * difference.p_value))  # two metrics × two points
    assert one.minimum_detectable_effect == minimum_detectable_effect(difference, alpha=0.05 / 4)


def test_the_studys_own_rows_are_no_tax(folder: Path) -> None:
    comparison = compared(read_study(folder))
    assert {tax.task for tax in comparison.tax} == {"arc_easy"}
    own = {f"{BASE}/seed-0": documents([1.0] * 4, heldout=True)}
    assert tax_of(folder, own) == []


@pytest.fixture(scope="module")
def comparison(folder: Path) -> Comparison:
    return compared(read_study(folder))


def test_the_table_has_a_row_for_every_point_and_nothing_where_nothing_is(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), heldout=8, showcase=1, steps=3, failed=("kto",))
    table = tasks_table(compared(read_study(build_study(tmp_path, shape))))
    rows = table[table["metric"] == "bits_per_byte"].set_index("point")
    assert list(rows.index) == [BASE, DPO, KTO]
    assert rows[["limit", "num_fewshot", "apply_chat_template"]].drop_duplicates().values.tolist() == [[60, 5, False]]
    assert rows["better"].unique().tolist() == ["lower"]
    assert rows.loc[DPO, "difference_to_base"] > 0
    assert rows.loc[BASE, "difference_to_base"] is None or rows.isna().loc[BASE, "difference_to_base"]
    assert rows.isna().loc[KTO, ["documents", "estimate", "p_adjusted"]].all()


def test_sentences_say_what_changed_and_what_could_have_been_seen(comparison: Comparison) -> None:
    findings = dict(tax_section(comparison)["findings"])
    assert (
        "No change detected in any of 2 points. Every document gives the same difference"
        in findings["arc_easy, acc (5 solved examples, first 60 documents)"]
    )
    surprise = findings["arc_easy, bits per byte (5 solved examples, first 60 documents)"]
    assert "), a loss, adjusted p < 0.001." in surprise
    assert "with 60 documents and 2 seeds." in surprise


def test_points_without_results_are_counted(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), heldout=8, showcase=1, steps=3, failed=("kto",))
    findings = dict(tax_section(compared(read_study(build_study(tmp_path, shape))))["findings"])
    assert findings["arc_easy, acc (5 solved examples, first 60 documents)"].endswith(
        "1 point without results on the documents of a base."
    )


def test_without_tasks_there_is_no_section(folder: Path) -> None:
    comparison = compared(read_study(folder)).model_copy(update={"tax": []})
    assert tax_section(comparison)["rows"] == []
    assert len(tasks_table(comparison)) == 0
