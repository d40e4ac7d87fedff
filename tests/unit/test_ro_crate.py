"""The RO-Crate: every file with its hash, every stage of every run as an action, no reference into nothing."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from attest import write_attestation
from prefsweep.admission import OUTPUTS
from prefsweep.attestation import CRATE, FILE
from prefsweep.files import sha256_of, write_json, write_jsonl
from prefsweep.verification import underived_scores
from tests.example_study import Shape, build_study

Graph = dict[str, dict[str, Any]]
BASE, DPO = "runs/base-00000000/seed-0", "runs/dpo-00000000/seed-0"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape = Shape(methods=("dpo", "kto"), heldout=6, showcase=1, steps=3)
    folder = build_study(tmp_path_factory.mktemp("crate"), shape)
    (folder / "report").mkdir()
    (folder / "report" / "runs.csv").write_text("run\n")
    write_json(folder / DPO / "judge.json", {"run": "dpo-00000000/seed-0", "opponent": "base-00000000/seed-0"})
    write_json(folder / DPO / "reward.json", {"versions": {"vllm": "0.32.0"}})
    write_json(folder / "rivals" / "judge.json", {})
    for judged in (folder / DPO, folder / "rivals"):
        write_jsonl(judged / "judged.jsonl", [{}])
    rung = folder / DPO / "rung-1"
    rung.mkdir()
    for name in ("scores.json", "generations.jsonl"):
        (rung / name).write_bytes((folder / DPO / name).read_bytes())
    write_attestation(folder)
    return folder


@pytest.fixture(scope="module")
def graph(study: Path) -> Graph:
    entities = json.loads((study / CRATE).read_text())["@graph"]
    assert len({entity["@id"] for entity in entities}) == len(entities)
    return {entity["@id"]: entity for entity in entities}


def _references(value: Any) -> list[str]:
    if isinstance(value, list):
        return [found for item in value for found in _references(item)]
    return [value["@id"]] if isinstance(value, dict) else []


def test_every_file_is_there_with_its_hash_and_size(study: Path, graph: Graph) -> None:
    files = {name: entity for name, entity in graph.items() if entity["@type"] == "File"}
    assert {FILE, "report/runs.csv", "runs/dpo-00000000/seed-0/train.json", "data/heldout.jsonl"} < set(files)
    for name, entity in files.items():
        path = study / unquote(name)
        assert entity["sha256"] == sha256_of(path)
        assert int(entity["contentSize"]) == path.stat().st_size
    assert set(_references(graph["./"]["hasPart"])) == set(files)


def test_nothing_refers_into_nothing(graph: Graph) -> None:
    for entity in graph.values():
        for value in entity.values():
            for name in _references(value):
                assert name in graph or name == "https://w3id.org/ro/crate/1.1", name


def test_the_root_is_described_as_the_standard_asks(graph: Graph) -> None:
    descriptor = graph[CRATE]
    assert descriptor["about"] == {"@id": "./"}
    assert {"name", "description", "datePublished", "license"} <= set(graph["./"])


def test_a_run_that_screening_stopped_is_no_action_and_nothing_to_derive(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo", "kto"), heldout=4, showcase=0, steps=3, unfinished=("kto",)))
    run = folder / "runs" / "kto-00000000" / "seed-0"
    run.mkdir(parents=True)
    for name in OUTPUTS:
        (run / name).touch()
    write_attestation(folder)
    crate = (folder / CRATE).read_text()
    assert "train dpo-00000000/seed-0" in crate
    assert "train kto-00000000/seed-0" not in crate
    assert underived_scores(folder) == []


def test_actions_say_what_was_made_from_what_and_by_which_version(graph: Graph) -> None:
    action = graph["#train-dpo-00000000/seed-0"]
    assert graph[action["instrument"]["@id"]]["softwareVersion"] == "4.6.0"
    assert {"@id": "#base-model"} in action["object"]
    assert action["result"] == [{"@id": f"runs/dpo-00000000/seed-0/{name}"} for name in ("train.json", "run.json")]
    actions = {name for name, entity in graph.items() if entity["@type"] == "CreateAction"}
    assert set(_references(graph["./"]["mentions"])) == actions
    assert {name.partition("-")[0] for name in actions} == {
        "#train", "#merge", "#measure", "#evaluate", "#score", "#drift", "#judge", "#reward", "#compare",
    }  # fmt: skip
    assert "#train-base-00000000/seed-0" not in actions
    assert graph["#evaluate-base-00000000/seed-0"]["instrument"] == {"@id": "#prefsweep"}


def test_what_compares_answers_was_made_from_those_of_both(graph: Graph) -> None:
    judged, drifted = (_references(graph[f"#{name}-dpo-00000000/seed-0"]["object"]) for name in ("judge", "drift"))
    assert {f"{BASE}/generations.jsonl", f"{DPO}/generations.jsonl"} < set(judged)
    assert {f"{BASE}/merge.json", f"{DPO}/merge.json"} < set(drifted)
    assert graph["#reward-dpo-00000000/seed-0"]["instrument"] == {"@id": "#vllm-0.32.0"}


def test_the_best_points_against_each_other_are_an_action_of_the_study(graph: Graph) -> None:
    action = graph["#judge-rivals"]
    assert _references(action["result"]) == ["rivals/judged.jsonl", "rivals/judge.json"]
    read = _references(action["object"])
    runs = {f"runs/{method}-00000000/seed-0" for method in ("base", "dpo", "kto")}
    answers = {f"{run}/{name}" for run in runs for name in ("generations.jsonl", "scores.json")}
    assert set(read) == {"data/heldout.jsonl", f"{DPO}/judged.jsonl", f"{DPO}/reward.json", *answers}
