"""The study file: what is accepted, what is refused, and how the refusal reads."""

import json
from copy import deepcopy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prefsweep.methods import load_methods
from prefsweep.study import StudyConfig, load_study, study_model
from prefsweep.study_problems import StudyError, keys_at
from prefsweep.yaml_file import load_yaml
from schema import SCHEMA, TABLES, schema_text, tables_text

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
            "study.yaml:5: methods.dpo.beta: input should be greater",
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
        ("study: s\n", "study: s\nevaluate: {tasks: [a, {name: b, limt: 9}]}\n", "tasks.1.limt: unknown key; did you"),
        (
            "study: s\n",
            "study: s\nevaluate: {tasks: [{name: b, limit: 0}]}\n",
            "tasks.0.limit: input should be greater",
        ),
        ("study: s\n", "study: s\nevaluate: {tasks: [a, {name: a, limit: 9}]}\n", "evaluate.tasks: a is there twice"),
        ("  dpo: {beta: [0.05, 0.1]}\n  kto:\n", "  {}\n", "study.yaml:4: methods: is empty"),
    ],
)
def test_a_fault_is_named_with_its_line(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in STUDY
    assert expected in problems(tmp_path, STUDY.replace(old, new))


PAIRS = "paired: [{learning_rate: 1e-4, epochs: 1}, {learning_rate: 5e-5, epochs: 2}]"


@pytest.mark.parametrize(
    ("methods", "train", "more", "expected"),
    [
        (
            "{dpo: {beta: {min: 0.1, max: 1}}}",
            "{}",
            "",
            "study.yaml:4: methods.dpo.beta: a range alone names no points",
        ),
        ("{dpo: {beta: {min: 1, max: 0.1, num: 2}}}", "{}", "", "methods.dpo.beta: min 1 is not below max 0.1"),
        ("{dpo: {beta: {min: 0, max: 0.1, num: 2}}}", "{}", "", "methods.dpo.beta.min: input should be greater than 0"),
        ("{dpo: {beta: {min: 0.1, max: 1, num: 1}}}", "{}", "", "methods.dpo.beta.num: input should be greater"),
        (
            "{dpo: {beta: {min: 0.1, max: 1, nun: 2}}}",
            "{}",
            "",
            "methods.dpo.beta.nun: unknown key; did you mean 'num'?",
        ),
        ("{dpo: {beta: {min: 0.1}}}", "{}", "", "methods.dpo.beta.max: is missing"),
        ("{simpo: {gamma_beta_ratio: {min: 0, max: 1, log: true, num: 2}}}", "{}", "", "log needs min above 0"),
        ("{dpo: }", "{lora_rank: {min: 4, max: 6, num: 9}}", "", "study.yaml:5: train.lora_rank: has fewer than num 9"),
        (
            "{dpo: }",
            "{lora_rank: {min: 4.5, max: 6, num: 2}}",
            "",
            "train.lora_rank.min: input should be a valid integer",
        ),
        ("{dpo: }", "{scheduler: {min: 1, max: 2}}", "", "train.scheduler: is one value or a list of values; write"),
        ("{dpo: {beta: 0.1, paired: [{beta: 1, epochs: 1}]}}", "{}", "", "methods.dpo.beta: is in paired, too"),
        ("{dpo: }", "{paired: [{epochs: 1, lora_rank: 8}, {epochs: 2}]}", "", "train.paired.1: needs the same keys"),
        ("{dpo: }", "{paired: [{epochs: 1}]}", "", "train.paired.0: needs the same keys in every entry, two at least"),
        ("{dpo: }", "{paired: []}", "", "train.paired: list should have at least 1 item"),
        (
            "{dpo: }",
            "{paired: [{beta: 1, epochs: 1}]}",
            "",
            "train.paired.0.beta: unknown key; it is a key of methods.",
        ),
        ("{dpo: {epochs: 3}}", f"{{{PAIRS}}}", "", "methods.dpo.epochs: overrides one of train.paired's keys but not"),
        ("{dpo: {beta: 0.1}}", "{}", "exclude: [{beta: 0.2}]", "study.yaml:6: exclude.0: no point has beta 0.2"),
        ("{dpo: }", "{}", "exclude: [{method: kto}]", "no point has method kto; the study's methods are dpo"),
        ("{dpo: }", "{}", "exclude: [{method: dpoo}]", "exclude.0.method: input should be"),
        ("{dpo: }", "{}", "exclude: [{lambda: 0.1}]", "no point has lambda 0.1; dpo has no such key"),
        ("{dpo: }", "{}", "exclude: [{metod: dpo}]", "exclude.0.metod: unknown key; did you mean 'method'?"),
        ("{dpo: }", f"{{{PAIRS}}}", "exclude: [{learning_rate: 1e-4, epochs: 2}]", "has all of these values together"),
        ("{dpo: }", "{}", "exclude: [{}]", "exclude.0: is empty and would leave out everything"),
        ("{dpo: , kto: }", "{}", "exclude: [{method: dpo}]", "exclude: leaves dpo no point; remove it from methods"),
        (
            "{dpo: {beta: [0.1, 0.2]}, kto: }",
            "{epochs: {min: 1, max: 9}}",
            "search: {random: 3}\nexclude: [{method: dpo, beta: 0.1}, {beta: 0.2}]",
            "study.yaml:7: exclude: leaves dpo no point; remove it from methods",
        ),
        ("{dpo: }", "{}", "search: gird", "study.yaml:6: search: input should be 'grid'; it is 'gird'; did you mean"),
        ("{dpo: }", "{}", "search: {radnom: 3}", "search.radnom: unknown key; did you mean 'random'?"),
        ("{dpo: }", "{}", "search: {random: 0}", "search.random: input should be greater than or equal to 1"),
        ("{dpo: }", "{}", "search: {halving: {keeep: 0.1}}", "search.halving.keeep: unknown key; did you mean 'keep'?"),
        ("{dpo: }", "{}", "generate: {max_token: 3}", "generate.max_token: unknown key; did you mean 'max_tokens'?"),
        (
            "{dpo: }",
            "{beta: 0.1}",
            "",
            "train.beta: unknown key; it is a key of methods.aot and of methods.aot_unpaired and",
        ),
        ("{dpo: {beta: }}", "{}", "", "methods.dpo.beta: is empty; give it a value, or remove the key"),
        ("{dpo: }", "{epochs: null}", "", "train.epochs: is empty; give it a value, or remove the key"),
        (
            "{dpo: {beta: {min: 0.1, max: 1}}}",
            "{}",
            "search: {random: 3}\nexclude: [{beta: 0.2}]",
            "exclude.0: beta is drawn from a range, of which one value cannot be left out; narrow the range",
        ),
        (
            f"{{dpo: {{beta: {[n / 1000 for n in range(1, 400)]}, epochs: {list(range(1, 400))}}}}}",
            "{}",
            "",
            "study.yaml:4: methods.dpo: a grid of 159,201 combinations is more than can be listed; shorten its lists",
        ),
    ],
)
def test_a_sweep_that_contradicts_itself_is_refused(
    tmp_path: Path, methods: str, train: str, more: str, expected: str
) -> None:
    text = f"study: s\nmodel: m\ndataset: d\nmethods: {methods}\ntrain: {train}\n{more}\n"
    assert expected in problems(tmp_path, text)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    text = problems(tmp_path, STUDY.replace("0.05", "-1").replace("kto:", "koto:"))
    assert "methods.dpo.beta.0" in text
    assert "methods.koto" in text


def test_overrides_are_checked_too(tmp_path: Path) -> None:
    (tmp_path / "study.yaml").write_text(STUDY)
    with pytest.raises(StudyError, match="command line: seeds"):
        load_study(tmp_path / "study.yaml", {"seeds": "three"}, METHODS)


MODEL = study_model(METHODS)
DEMO = load_yaml(ROOT / "config" / "demo.yaml").value
PLACES = [(), ("methods",), ("methods", "dpo"), ("train",), ("generate",), ("evaluate",)]


@settings(deadline=None, max_examples=30)
@given(place=st.sampled_from(PLACES), key=st.from_regex(r"[a-z_]{1,16}", fullmatch=True))
def test_a_key_nobody_knows_is_refused_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, ...], key: str
) -> None:
    if key in keys_at(MODEL, place):
        return
    document = deepcopy(DEMO)
    section = document
    for part in place:
        section = section[part]
    section[key] = 1
    directory = tmp_path_factory.mktemp("study")
    assert "unknown key" in problems(directory, json.dumps(document))


def test_the_schema_is_that_of_the_code() -> None:
    assert SCHEMA.read_text() == schema_text(), "run `make schema`"
    assert TABLES.read_text() == tables_text(), "run `make schema`"


def test_every_key_is_in_the_reference() -> None:
    text = TABLES.read_text()
    for place in (*PLACES, ("search",), ("search", "halving"), *(("methods", name) for name in METHODS)):
        said = "### `methods.{}`" if place == ("methods",) else "| `{}` |"
        assert {key for key in keys_at(MODEL, place) if said.format(key) not in text} == set(), place


@pytest.mark.parametrize(
    ("judge", "accepted"),
    [
        ({}, False),
        ({"url": "https://judge.example/v1"}, False),
        ({"url": "https://judge.example/v1", "model": "m"}, True),
        ({"serve": "m"}, True),
    ],
)
def test_an_editor_knows_that_somebody_must_judge(judge: dict[str, str], accepted: bool) -> None:
    study = load_yaml(ROOT / "config" / "demo.yaml").value
    study["evaluate"]["judge"] = judge
    assert Draft202012Validator(json.loads(schema_text())).is_valid(study) == accepted


@pytest.mark.parametrize("study", sorted(ROOT.glob("config/*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_load_and_fit_the_schema(study: Path) -> None:
    load_study(study, {}, METHODS)
    document = load_yaml(study).value
    Draft202012Validator(json.loads(schema_text())).validate(document)
