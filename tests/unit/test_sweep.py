"""Which points a study has, and what their identity depends on."""

from pathlib import Path
from typing import Any

from prefsweep.methods import load_methods
from prefsweep.plan import Point
from prefsweep.study import load_study
from prefsweep.sweep import Inputs, expand

ROOT = Path(__file__).resolve().parents[2]
METHODS = load_methods(ROOT / "config" / "methods")
INPUTS = Inputs(model="model@1", template="chatml", data_revision="sha256:1", device="cpu")


def points(directory: Path, methods: str, train: str = "{}", inputs: Inputs = INPUTS) -> list[Point]:
    text = f"study: s\nmodel: m\ndataset: d\nmethods: {methods}\ntrain: {train}\n"
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
