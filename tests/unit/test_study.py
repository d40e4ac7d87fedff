"""The study file: what is accepted, what is refused, and how the refusal reads."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prefsweep.methods import load_methods
from prefsweep.study import StudyConfig, StudyError, allowed_keys, load_study
from prefsweep.yaml_file import load_yaml
from schema import schema_text

ROOT = Path(__file__).resolve().parents[2]
METHODS = load_methods(ROOT / "config" / "methods")
STUDY = """\
study: s
model: m
dataset: d
methods:
  dpo: {beta: [0.05, 0.1]}
  kto:
train: {learning_rate: 5e-6}
"""


def load(directory: Path, text: str) -> StudyConfig:
    (directory / "study.yaml").write_text(text)
    return load_study(directory / "study.yaml", {}, METHODS)


def problems(directory: Path, text: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - StudyError or YamlError, both ValueErrors
        load(directory, text)
    return str(caught.value)


def test_scalars_and_lists_are_both_read_as_lists(tmp_path: Path) -> None:
    config = load(tmp_path, STUDY)
    assert config.methods.dpo.beta == [0.05, 0.1]  # type: ignore[attr-defined]
    assert config.train.learning_rate == [5e-6]  # type: ignore[attr-defined]
    assert config.methods.model_fields_set == {"dpo", "kto"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "dpo: {beta: [0.05, 0.1]}",
            "dpo: {beta: 0}",
            "study.yaml:5: methods.dpo.beta.0: input should be greater",
        ),
        ("[0.05, 0.1]", "1e9", "less than or equal to 100"),
        ("[0.05, 0.1]", ".inf", "finite"),
        ("[0.05, 0.1]", "'0.1'", "valid number; it is '0.1'"),
        ("[0.05, 0.1]", "[]", "at least 1"),
        ("[0.05, 0.1]", "[0.1, 0.1]", "lists 0.1 more than once"),
        ("kto:", "ktoo:", "study.yaml:6: methods.ktoo: unknown key; did you mean 'kto'?"),
        (
            "learning_rate",
            "learning_rat",
            "study.yaml:7: train.learning_rat: unknown key; did you mean 'learning_rate'?",
        ),
        ("dpo: {beta: [0.05, 0.1]}", "dpo: {lambda: 1}", "methods.dpo.lambda: unknown key"),
        ("study: s\n", "", "study: is missing"),
        ("study: s\n", "study: s\nseeds: [1, 1]\n", "lists 1 more than once"),
        ("study: s\n", "study: s\nseeds: [1.5]\n", "study.yaml:2: seeds.0: input should be a valid integer"),
        ("study: s\n", "study: s\nseeds: []\n", "seeds"),
        ("  dpo: {beta: [0.05, 0.1]}\n  kto:\n", "  {}\n", "methods is empty"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in STUDY
    assert expected in problems(tmp_path, STUDY.replace(old, new))


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = problems(tmp_path, STUDY.replace("0.05", "-1").replace("kto:", "koto:"))
    assert "methods.dpo.beta.0" in text
    assert "methods.koto" in text


def test_overrides_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    with pytest.raises(StudyError, match="command line: seeds"):
        load_study(tmp_path / "study.yaml", {"seeds": "three"}, METHODS)


PLACES = [(), ("methods",), ("methods", "dpo"), ("train",), ("generate",), ("evaluate",)]


@settings(deadline=None)
@given(place=st.sampled_from(PLACES), key=st.from_regex(r"[a-z_]{1,16}", fullmatch=True))
def test_a_key_nobody_knows_is_refused_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, ...], key: str
) -> None:
    allowed = allowed_keys(place, METHODS)
    if key in allowed:
        return
    document = load_yaml(ROOT / "config" / "demo.yaml").value
    section = document
    for part in place:
        section = section[part]
    section[key] = 1
    directory = tmp_path_factory.mktemp("study")
    assert "unknown key" in problems(directory, json.dumps(document))


def test_the_schema_is_that_of_the_code() -> None:
    written = (ROOT / "config" / "study.schema.json").read_text()
    assert written == schema_text(), "run `make schema`"


@pytest.mark.parametrize("study", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_load_and_fit_the_schema(study: Path) -> None:
    load_study(study, {}, METHODS)
    document = load_yaml(study).value
    Draft202012Validator(json.loads(schema_text())).validate(document)
