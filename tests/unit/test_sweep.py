"""Which points a study has, and what their identity depends on."""

from pathlib import Path
from typing import Any

import pytest

from prefsweep.methods import load_methods
from prefsweep.plan import Point
from prefsweep.study import load_study
from prefsweep.sweep import Inputs, expand

ROOT = Path(__file__).resolve().parents[2]
METHODS = load_methods(ROOT / "config" / "methods")
INPUTS = Inputs(model="model@1", template="chatml", data_revision="sha256:1", device="cpu")


def points(
    directory: Path, methods: str, train: str = "{}", more: str = "search: grid", inputs: Inputs = INPUTS
) -> list[Point]:
    text = f"study: s\nmodel: m\ndataset: d\nmethods: {methods}\ntrain: {train}\n{more}\n"
    (directory / "study.yaml").write_text(text)
    return expand(load_study(directory / "study.yaml", {}, METHODS), METHODS, inputs)


def settings(points: list[Point], key: str) -> list[Any]:
    return [point.settings[key] for point in points if point.method != "base"]


def test_the_grid_is_the_product_of_the_lists(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: {beta: [0.1, 0.2]}}", "{learning_rate: [1.0e-5, 2.0e-5, 3.0e-5]}")
    assert len(found) == 1 + 6
    assert found[0].method == "base"


def test_a_key_under_a_method_overrides_train(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: {epochs: 3}, kto: }", "{epochs: 2}")
    assert sorted(settings(found, "epochs")) == [2, 3]


def test_identity_follows_resolved_settings_and_inputs(tmp_path: Path) -> None:
    implicit = points(tmp_path, "{dpo: }")[1]
    explicit = points(tmp_path, "{dpo: {beta: 0.1}}", "{lora_rank: 8}")[1]
    assert implicit.id == explicit.id
    assert points(tmp_path, "{dpo: {beta: 0.2}}")[1].id != implicit.id
    for change in (
        {"model": "model@2"},
        {"data_revision": "sha256:2"},
        {"device": "cuda"},
        {"template": "qwen"},
    ):
        changed = Inputs(**(INPUTS.__dict__ | change))
        assert points(tmp_path, "{dpo: }", inputs=changed)[1].id != implicit.id, change


def test_labels_name_what_varies_and_are_no_identity(tmp_path: Path) -> None:
    alone = points(tmp_path, "{dpo: }", "{learning_rate: 1.0e-4}")[1]
    beside = points(tmp_path, "{dpo: }", "{learning_rate: [1.0e-4, 2.0e-4]}")[1]
    assert alone.label == "dpo β=0.1"
    assert beside.label == "dpo β=0.1 lr=0.0001"
    assert alone.id == beside.id


def test_objectives_have_their_numbers(tmp_path: Path) -> None:
    simpo = points(tmp_path, "{simpo: {beta: 2.5, gamma_beta_ratio: 0.4}}")[1]
    assert simpo.objective.endswith("β = 2.5, γ = 0.4·β")


def test_sharing_a_gpu_changes_no_point(tmp_path: Path) -> None:
    alone, sharing = (points(tmp_path, "{dpo: }", train) for train in ("{}", "{jobs_per_gpu: 4}"))
    assert alone == sharing


def test_a_range_with_num_is_a_list(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: {beta: {min: 0.01, max: 1, log: true, num: 3}}}")
    assert settings(found, "beta") == [0.01, 0.1, 1.0]
    found = points(tmp_path, "{dpo: {lora_rank: {min: 4, max: 64, log: true, num: 5}}}")
    assert settings(found, "lora_rank") == [4, 8, 16, 32, 64]
    assert all(type(value) is int for value in settings(found, "lora_rank"))


def test_a_range_is_drawn_from_and_gives_short_numbers(tmp_path: Path) -> None:
    train = "{learning_rate: {min: 1e-6, max: 1e-3, log: true}, epochs: {min: 1, max: 3}}"
    found = points(tmp_path, "{dpo: }", train, "search: {random: 200}")
    rates = settings(found, "learning_rate")
    assert len(found) == 201
    assert all(1e-6 <= rate <= 1e-3 and rate == float(f"{rate:.3g}") for rate in rates)
    assert 60 < sum(rate < 1e-4 for rate in rates) - sum(rate < 1e-5 for rate in rates) < 75 + 15
    assert {settings(found, "epochs").count(epochs) > 45 for epochs in (1, 2, 3)} == {True}


def test_paired_values_stay_together(tmp_path: Path) -> None:
    train = "{paired: [{learning_rate: 1e-4, epochs: 1}, {learning_rate: 5e-5, epochs: 2}], batch_size: [8, 16]}"
    together = {(1e-4, 1), (5e-5, 2)}
    for more, count in (("search: grid", 4), ("search: {random: 3}", 3)):
        found = points(tmp_path, "{dpo: , kto: {paired: [{beta: 0.1, desirable_weight: 1}]}}", train, more)
        assert len(found) == 1 + 2 * count
        assert {*zip(settings(found, "learning_rate"), settings(found, "epochs"), strict=True)} == together


def test_a_method_overrides_pairs_and_single_values_of_train(tmp_path: Path) -> None:
    pairs = "paired: [{learning_rate: 1e-4, epochs: 1}, {learning_rate: 5e-5, epochs: 2}]"
    found = points(tmp_path, f"{{dpo: , kto: {{{pairs}}}}}", "{learning_rate: 1e-3, epochs: [3, 4]}")
    assert [point.settings["epochs"] for point in found[1:]] == [3, 4, 1, 2]
    found = points(tmp_path, "{dpo: , kto: {learning_rate: 1e-3, epochs: 4}}", f"{{{pairs}}}")
    assert [point.settings["epochs"] for point in found[1:]] == [1, 2, 4]


def test_an_empty_setting_of_a_method_undoes_that_of_train(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: , kto: {micro_batch_size: null}}", "{micro_batch_size: 4}")
    assert settings(found, "micro_batch_size") == [4, None]


def test_what_is_excluded_is_left_out_and_nothing_else(tmp_path: Path) -> None:
    grid = ("{dpo: {beta: [0.1, 0.2]}, kto: {beta: [0.1, 0.2]}}", "{epochs: [1, 2]}")
    everything = points(tmp_path, *grid)
    found = points(tmp_path, *grid, "exclude: [{method: dpo, beta: 0.1}, {beta: 0.2, epochs: 2}]")
    left_out = [point for point in everything if point not in found]
    values = [(point.method, point.settings["beta"], point.settings["epochs"]) for point in left_out]
    assert values == [("dpo", 0.1, 1), ("dpo", 0.1, 2), ("dpo", 0.2, 2), ("kto", 0.2, 2)]
    drawn = points(tmp_path, *grid, "exclude: [{method: dpo, beta: 0.1}]\nsearch: {random: 4}")
    assert [point.method for point in drawn].count("dpo") == 2


BIG = "{learning_rate: {min: 1e-6, max: 1e-3, log: true}, lora_rank: [4, 8, 16]}"


@pytest.mark.parametrize("train", [BIG, "{epochs: [1, 2, 3, 4, 5], lora_rank: [4, 8, 16], batch_size: [1, 2, 4, 8]}"])
def test_draws_differ_by_seed_and_method_and_by_nothing_else(tmp_path: Path, train: str) -> None:
    def drawn(methods: str, number: int = 8, seed: int = 0) -> list[Point]:
        return points(tmp_path, methods, train, f"search: {{random: {number}, seed: {seed}}}")

    first = drawn("{dpo: , kto: }")
    assert drawn("{dpo: , kto: }") == first
    assert len({point.id for point in first}) == 17
    alone = [point for point in drawn("{simpo: , dpo: }") if point.method == "dpo"]
    assert alone == [point for point in first if point.method == "dpo"]
    assert [point for point in drawn("{dpo: }", 12) if point in alone] == alone
    other = drawn("{dpo: }", seed=1)[1:]
    assert {point.id for point in other} != {point.id for point in alone}
    rates = [(point.settings["learning_rate"], point.settings["lora_rank"]) for point in first[1:]]
    assert rates[:8] != rates[8:]


def test_fixing_one_key_keeps_what_is_drawn_for_the_others(tmp_path: Path) -> None:
    free = points(tmp_path, "{dpo: {beta: {min: 0.01, max: 1}}}", BIG, "search: {random: 5}")
    fixed = points(tmp_path, "{dpo: {beta: 0.1}}", BIG, "search: {random: 5}")
    assert settings(free, "learning_rate") == settings(fixed, "learning_rate")


def test_a_space_smaller_than_the_draws_is_tried_whole(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: {beta: [0.1, 0.2, 0.3]}}", "{}", "search: {random: 20}")
    assert settings(found, "beta") == [0.1, 0.2, 0.3]
    narrow = points(tmp_path, "{dpo: {lora_rank: {min: 4, max: 7}}}", "{}", "search: {random: 20}")
    assert sorted(settings(narrow, "lora_rank")) == [4, 5, 6, 7]


def test_what_is_excluded_is_not_drawn_from_ranges_either(tmp_path: Path) -> None:
    found = points(tmp_path, "{dpo: }", BIG, "search: {random: 20}\nexclude: [{lora_rank: 8}]")
    assert len(found) == 21
    assert set(settings(found, "lora_rank")) == {4, 16}
