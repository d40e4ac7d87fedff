"""Descriptions of base models: what is accepted, what is refused with which advice, what names a folder."""

from pathlib import Path
from typing import Any

import pytest

from prefsweep.models import load_model_spec, manifest_path, model_directory, model_revision

CONFIG = Path(__file__).parents[2] / "config" / "models"
COMMIT = "0123456789abcdef0123456789abcdef01234567"
HUB = {
    "hub": "huggingface",
    "id": "owner/tiny",
    "revision": COMMIT,
    "model_type": "llama",
    "template": "chatml",
}
LOCAL = {"path": "somewhere/tiny", "model_type": "llama", "template": "chatml"}


@pytest.mark.parametrize("path", sorted(CONFIG.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_models_are_pinned_and_licensed(path: Path) -> None:
    spec = load_model_spec(path.stem, CONFIG)
    assert spec.licence == "Apache-2.0"
    assert len(spec.files["model.safetensors"]) == 64
    assert spec.eos_token == "<|im_end|>"
    assert spec.pad_token is not None


def test_an_unknown_name_names_the_nearest() -> None:
    with pytest.raises(ValueError, match=r"unknown model 'smollm2-135m'. Did you mean smollm2-135m-instruct\?"):
        load_model_spec("smollm2-135m", CONFIG)


@pytest.mark.parametrize(
    ("mapping", "expected"),
    [
        (LOCAL | {"hub": "huggingface"}, "exactly one source, not hub and path"),
        ({"model_type": "llama", "template": "chatml"}, "exactly one source, not none"),
        ({key: HUB[key] for key in HUB if key != "revision"}, "needs id: OWNER/NAME and revision: COMMIT"),
        (HUB | {"revision": "main"}, "the revision 'main' of owner/tiny can move"),
        (HUB | {"id": "../etc"}, "id: "),
        (HUB | {"allow_code": True}, "code is never fetched"),
        (LOCAL | {"id": "owner/tiny"}, "id and alternatives belong to a hub model"),
        (LOCAL | {"chat_template": "{{ messages }}"}, "a local directory is used as it is"),
        (LOCAL | {"templete": "chatml"}, "templete: unknown key; did you mean template?"),
        (
            {key: LOCAL[key] for key in LOCAL if key != "template"},
            "template: is missing: give ms-swift's name",
        ),
        (
            {key: LOCAL[key] for key in LOCAL if key != "model_type"},
            "model_type: is missing: give ms-swift's",
        ),
        (LOCAL | {"files": {"model.safetensors": "abc"}}, "files.model.safetensors: String should match"),
    ],
)
def test_a_bad_inline_model_says_what_to_write(mapping: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match=r"^model: ") as caught:
        load_model_spec(mapping, CONFIG)
    assert expected in str(caught.value)


def test_a_bad_file_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("path: here\nmodel_type: llama\ntemplate: chatml\nlicense: MIT\n")
    with pytest.raises(ValueError, match=r"mine\.yaml:4: license: unknown key; did you mean licence\?"):
        load_model_spec("mine", tmp_path)


def test_a_branch_is_accepted_where_the_weights_are_pinned() -> None:
    spec = load_model_spec(HUB | {"revision": "main", "files": {"model.safetensors": "a" * 64}}, CONFIG)
    assert spec.hub_sources[0].revision == "main"


def test_a_changed_pin_gets_a_new_folder_and_a_label_does_not(tmp_path: Path) -> None:
    folder = model_directory(load_model_spec(HUB, CONFIG), tmp_path)
    for pinned in ({"revision": COMMIT[::-1]}, {"eos_token": "</s>"}, {"files": {"config.json": "b" * 64}}):
        assert model_directory(load_model_spec(HUB | pinned, CONFIG), tmp_path) != folder
    assert model_directory(load_model_spec(HUB | {"licence": "MIT"}, CONFIG), tmp_path) == folder
    assert folder.parent == tmp_path
    assert folder.name.startswith("tiny-")


def test_a_local_directory_is_used_in_place_and_known_by_its_content(tmp_path: Path) -> None:
    local = tmp_path / "My Model"
    local.mkdir()
    (local / "config.json").write_text("{}")
    spec = load_model_spec(LOCAL | {"path": str(local)}, CONFIG)
    assert model_directory(spec, tmp_path / "models") == local
    assert manifest_path(spec, tmp_path / "models").parent.name.startswith("my-model-")
    before = model_revision(spec)
    (local / "config.json").write_text("{ }")
    assert model_revision(spec) != before
    assert spec.name == "my-model"
