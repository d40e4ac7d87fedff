"""Faults of a study file: each is refused with file, line, key and remedy, or the file means what it says."""

import json
import math
import re
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from prefsweep import study as study_module
from prefsweep.methods import load_methods
from prefsweep.study import StudyConfig, load_study, study_model
from prefsweep.swept import Range
from prefsweep.yaml_file import Document, Location, load_yaml
from tests.faults.conftest import Planning
from tests.faults.study_file import Line, full_study, written
from tests.workflow.conftest import STUDY, Project

METHODS = load_methods(Path(__file__).resolve().parents[2] / "config" / "methods")
LINES = full_study(METHODS)
MODEL = study_model(METHODS)
SCHEMA = Draft202012Validator(MODEL.model_json_schema())
EXAMPLES = 700
DISTINCT = 500
"""Mutations that must have been tried at least."""
REFUSED = object()
"""The meaning of what YAML readers do not agree on."""


def load(directory: Path, text: str) -> StudyConfig:
    (directory / "study.yaml").write_text(text)
    return load_study(directory / "study.yaml", {}, METHODS)


def refusal(directory: Path, text: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - StudyError or YamlError, both ValueErrors
        load(directory, text)
    return str(caught.value)


def test_the_full_study_is_valid_and_has_every_key(tmp_path: Path) -> None:
    load(tmp_path, written(LINES))
    document = load_yaml(tmp_path / "study.yaml").value
    SCHEMA.validate(document)
    assert MODEL.model_fields.keys() == document.keys()
    assert {name: section.keys() >= METHODS[name].knobs.keys() for name, section in document["methods"].items()} == (
        dict.fromkeys(METHODS, True)
    )


VALUES: dict[str, Any] = {
    ".nan": math.nan, ".inf": math.inf, "-.inf": -math.inf, "": None, "null": None, "~": None, "text": "text",
    "'0.1'": "0.1", "'5'": "5", "5e-6": 5e-6, "1E1": 10.0, "010": REFUSED, "0o10": "0o10", "0x10": "0x10",
    "no": "no", "yes": "yes", "on": "on", "true": True, "false": False, "[]": [], "{}": {}, "-1": -1, "0": 0, "1": 1,
    "2": 2, "0.5": 0.5, "1.0": 1.0, "1e9": 1e9, "1_000": 1000, "1:30": "1:30", "2024-01-01": "2024-01-01",
    "[1, 1]": [1, 1], "[0.1, 0.2]": [0.1, 0.2], "[2, text]": [2, "text"], "[[1]]": [[1]], "[null]": [None],
    "{min: 1, max: 2}": {"min": 1, "max": 2}, "{min: 0.1, max: 0.5, log: true, num: 3}":
    {"min": 0.1, "max": 0.5, "log": True, "num": 3}, "{min: 2, max: 1}": {"min": 2, "max": 1}, "!!int 3": 3,
    "!!str 3": "3", "!!python/name:os.system": REFUSED, "&a 1": REFUSED, "*a": REFUSED, "[1": REFUSED, "'": REFUSED,
    "'; rm -rf /'": "; rm -rf /", "../x": "../x", "ünï": "ünï",
}  # fmt: skip


@dataclass(frozen=True)
class Mutation:
    """One line changed; `meaning` is what the new text says to whoever reads it."""

    index: int
    text: str
    key: str
    meaning: Any = None
    renamed: bool = False

    @property
    def line(self) -> Line:
        return LINES[self.index]


def _with_value(index: int, written_value: tuple[str, Any]) -> Mutation:
    line, (value, meaning) = LINES[index], written_value
    return Mutation(index, line.text(value=value) if value else line.text(value=" "), str(line.location[-1]), meaning)


def _renamed(index: int, change: Callable[[str], str]) -> Mutation:
    line = LINES[index]
    key = change(str(line.location[-1]))
    return Mutation(index, line.text(key=key), key, renamed=True)


_LEAVES = [index for index, line in enumerate(LINES) if line.value is not None]
_NUMBERS = st.one_of(
    st.one_of(st.integers(-(10**6), 10**6), st.integers(1, 64)).map(lambda number: (str(number), number)),
    st.floats(0.01, 1).map(lambda number: (repr(number), number)),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map(lambda number: (repr(number), number)),
)
_TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=8).map(
    lambda text: (json.dumps(text, ensure_ascii=False), text)
)
_RENAMINGS: list[Callable[[str], str]] = [
    lambda key: key[1:], lambda key: key[:-1], lambda key: key + "s", lambda key: key.upper(), lambda key: f"{key}_",
    lambda key: key.replace("_", "-") + "x", lambda key: key[0] + key, lambda key: key[::-1] + "q",
]  # fmt: skip
MUTATIONS = st.one_of(
    st.builds(_with_value, st.sampled_from(_LEAVES), st.sampled_from(list(VALUES.items()))),
    st.builds(_with_value, st.sampled_from(_LEAVES), st.one_of(_NUMBERS, _TEXTS)),
    st.builds(_renamed, st.sampled_from(range(len(LINES))), st.sampled_from(_RENAMINGS)),
)


def test_every_single_change_is_refused_at_its_line_or_means_what_it_says(tmp_path: Path) -> None:
    tried: set[tuple[int, str]] = set()
    outcomes = {True: 0, False: 0}

    @settings(max_examples=EXAMPLES, deadline=None, database=None, derandomize=True)
    @given(mutation=MUTATIONS)
    def check(mutation: Mutation) -> None:
        if mutation.text == mutation.line.text():
            return
        tried.add((mutation.index, mutation.text))
        text = written(LINES, mutation.index, mutation.text)
        try:
            config = load(tmp_path, text)
        except ValueError as error:
            outcomes[False] += 1
            _check_refusal(mutation, str(error))
        else:
            outcomes[True] += 1
            _check_meaning(mutation, config)

    check()
    assert len(tried) >= DISTINCT
    assert min(outcomes.values()) > DISTINCT // 10, outcomes


def _check_refusal(mutation: Mutation, message: str) -> None:
    """The line is the changed one's, or of what follows where the file is no YAML any more, or of another key that
    the change contradicts; the key is named."""
    found = re.search(r"study\.yaml:(\d+): ", message)
    assert found, message
    number = mutation.index + 1
    if "not valid YAML" in message or "control character" in message:
        assert int(found[1]) >= number
        return
    numbers = [int(line) for line in re.findall(r"(?:study\.yaml:|already on line )(\d+)", message)]
    contradicts = any(word in message for word in ("exclude", "range alone", "rung", "is missing"))
    assert number in numbers or contradicts, (mutation, message)
    assert contradicts or mutation.key in message or mutation.meaning is REFUSED, (mutation, message)
    assert ";" in message or "," in message, message


def _check_meaning(mutation: Mutation, config: StudyConfig) -> None:
    assert not mutation.renamed, mutation
    assert mutation.meaning is not REFUSED, mutation
    value: Any = config
    for part in mutation.line.location:
        value = getattr(value, str(part))
    meant = mutation.meaning
    if isinstance(value, Range):
        value = value.model_dump(exclude_unset=True)
    elif isinstance(value, list) and not isinstance(meant, list):
        [value] = value
    assert value == meant or (value is None and meant is None), mutation
    assert isinstance(value, bool) == isinstance(meant, bool), mutation
    assert isinstance(value, str) == isinstance(meant, str), mutation
    assert not isinstance(value, float) or math.isfinite(value), mutation


def test_the_schema_refuses_what_the_study_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An editor must not call right what the command calls wrong; it cannot know what contradicts other keys.

    Thousands of files differ in one value, so that each value is read by itself and put in its place.
    """
    full = load_yaml(_written(tmp_path, Mutation(0, LINES[0].text(), "study")))
    disagreeing = []
    for value in VALUES.keys() - _NOT_IN_JSON:
        meant = load_yaml(_valued(tmp_path, value)).value["value"]
        for index in _LEAVES:
            document = Document(full.path, _with(full.value, LINES[index].location, meant), full.lines)
            monkeypatch.setattr(study_module, "load_yaml", lambda _, document=document: document)
            try:
                load_study(full.path, {}, METHODS)
                accepted, reason = True, ""
            except ValueError as error:
                accepted, reason = False, str(error)
            across = any(
                word in reason
                for word in ("exclude", "range", "rung", "not below", "more than once", "log", "max_cost", "is missing")
            )
            if SCHEMA.is_valid(document.value) != accepted and not across:
                disagreeing.append((LINES[index].location, value, accepted, reason))
    assert disagreeing == []


_NOT_IN_JSON = {".nan", ".inf", "-.inf", "1.0", "1E1", "1e9"} | {
    value for value, meaning in VALUES.items() if meaning is REFUSED
}
"""It has no infinities, and to it 1.0 is a whole number."""


def _valued(directory: Path, value: str) -> Path:
    path = directory / "value.yaml"
    path.write_text(f"value: {value}\n")
    return path


def _with(document: dict[str, Any], location: Location, value: Any) -> dict[str, Any]:
    """The document with another value at one place."""
    key, *rest = location
    return document | {key: _with(document[key], tuple(rest), value) if rest else value}


def _written(directory: Path, mutation: Mutation) -> Path:
    path = directory / "study.yaml"
    path.write_text(written(LINES, mutation.index, mutation.text))
    return path


KNOBS = [(name, knob) for name, method in METHODS.items() for knob in method.knobs]


@pytest.mark.parametrize(("method", "knob"), KNOBS)
def test_c3_every_knob_has_bounds(tmp_path: Path, method: str, knob: str) -> None:
    for value in ("-1", "1e9", ".nan", ".inf", "'0.1'", "true"):
        text = f"study: s\nmodel: m\ndataset: d\nmethods:\n  {method}:\n    {knob}: {value}\n"
        assert f"study.yaml:6: methods.{method}.{knob}: " in refusal(tmp_path, text)


@pytest.mark.parametrize("values", ["[0.1, 0.10]", "[1, 1.0]", "[1e-1, 0.1]", "[2, 2e0]"])
def test_c5_equal_values_are_no_sweep(tmp_path: Path, values: str) -> None:
    text = f"study: s\nmodel: m\ndataset: d\nmethods: {{dpo: {{beta: {values}}}}}\n"
    assert "more than once; keep one of them" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    ("method", "option"),
    [
        ("dpo", "simpo_gamma"),
        ("dpo", "lambda"),
        ("orpo", "ref_model"),
        ("simpo", "cpo_alpha"),
        ("kto", "alpha"),
    ],
)
def test_c6_an_option_of_another_method_is_refused(tmp_path: Path, method: str, option: str) -> None:
    text = f"study: s\nmodel: m\ndataset: d\nmethods:\n  {method}: {{{option}: 1}}\n"
    assert f"study.yaml:5: methods.{method}.{option}: unknown key" in refusal(tmp_path, text)


@pytest.mark.parametrize(
    "name", ["a b", "ünï", "a;rm", "$(touch x)", "../a", "/tmp/a", "a/b", ".", "..", "", "-a", "A"]
)
def test_c10_a_name_that_is_no_folder_name_is_refused(tmp_path: Path, name: str) -> None:
    text = f"study: {json.dumps(name, ensure_ascii=False)}\nmodel: m\ndataset: d\nmethods: {{dpo: }}\n"
    assert "study.yaml:1: study: string should match pattern" in refusal(tmp_path, text)


# What follows is said by the command itself, with stub engines.

SOON_CPU_SECONDS = 4
"""Twice what a refusal may take: processor time, because other tests run beside this one and lengthen it, too."""


def study_of(project: Project, old: str = "study: tiny", new: str = "study: tiny") -> None:
    text = STUDY.format(model="base-model")
    assert text.count(old) == 1
    (project.directory / "study.yaml").write_text(text.replace(old, new))


def test_c1_a_bad_study_is_refused_in_the_time_the_command_takes_to_start(planning: Planning) -> None:
    study_of(planning.project, "dpo:", "ppo:")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    outcome = planning.project.snakemake("--dry-run")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert outcome.returncode == 2
    assert "study.yaml:6: methods.ppo: unknown key; did you mean 'rpo'? Allowed here: aot" in outcome.stdout
    assert "Building DAG" not in outcome.stdout
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < SOON_CPU_SECONDS


def test_c7_a_large_sweep_is_refused_with_its_runs_and_hours(planning: Planning) -> None:
    study_of(planning.project, "train: {", "seeds: [0, 1, 2, 3, 4]\ntrain: {learning_rate: [1e-5, 1e-4], lora_rank: ")
    text = (planning.folder / "study.yaml").read_text()
    ranks = list(range(1, 201))
    (planning.folder / "study.yaml").write_text(text.replace("lora_rank: batch", f"lora_rank: {ranks}, batch"))
    outcome = planning.project.snakemake("--dry-run")
    assert outcome.returncode == 2
    assert re.search(
        r"study.yaml:5: methods: the study has 10,001 runs \([\d,]+ estimated hours\), more than max_runs 500; set "
        r"`max_runs: 10001` to confirm",
        outcome.stdout,
    ), outcome.stdout
    assert "Building DAG" not in outcome.stdout


def test_c9_what_the_command_line_overrides_is_checked_and_recorded(planning: Planning) -> None:
    study_of(planning.project, "study: tiny", "study: overridden")
    refused = planning.project.snakemake("plan", "--config", "seeds=[1,1]", "smallest_efect=1")
    assert refused.returncode == 2
    assert "command line: seeds: lists 1 more than once" in refused.stdout
    assert "command line: smallest_efect: unknown key; did you mean 'smallest_effect'?" in refused.stdout
    accepted = planning.project.snakemake("plan", "--config", "seeds=[7]", "train={learning_rate: [5e-6]}")
    assert accepted.returncode == 0, accepted.stdout
    plan = json.loads((planning.folder / "results/overridden/plan.json").read_text())
    assert plan["seeds"] == [7]
    assert {point["settings"].get("learning_rate") for point in plan["points"]} == {None, 5e-6}


def test_c9_a_device_from_the_environment_is_checked(planning: Planning) -> None:
    study_of(planning.project, "device: cpu", "device: auto")
    outcome = planning.project.snakemake("--dry-run", PREFSWEEP_DEVICE="gpu")
    assert outcome.returncode == 2, outcome.stdout
    assert "PREFSWEEP_DEVICE" in outcome.stdout


def test_c10_hostile_names_of_files_are_names_of_files(planning: Planning) -> None:
    hostile = planning.folder / "my data ;touch canary $(touch canary) 'ü🎉"
    shutil.copytree(planning.folder / "data" / "emoji-en", hostile)
    dataset = {"path": f"{hostile}/pairs.jsonl", "heldout": f"{hostile}/heldout.jsonl"}
    study_of(planning.project, "dataset: emoji-en", f"dataset: {json.dumps(dataset)}")
    outcome = planning.project.snakemake("results/tiny/data/data.json")
    assert outcome.returncode == 0, outcome.stdout
    assert (planning.folder / "results/tiny/data/pairs.jsonl").exists()
    assert not list(planning.folder.rglob("canary"))
