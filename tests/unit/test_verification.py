"""A sceptic with the results folder alone: whichever byte is changed, it is found, and where."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import verify
from attest import write_attestation
from compare import compared
from prefsweep.attestation import CRATE, FILE, Attestation
from prefsweep.files import sha256_of
from prefsweep.page import write_page
from prefsweep.records.base import hashed_files
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord
from prefsweep.report_tables import write_tables
from prefsweep.results import read_study
from prefsweep.verification import (
    absent_weights,
    changed_files,
    changed_weights,
    circumstances_apart,
    underived,
    underived_scores,
)
from tests.example_study import Shape, build_study

RUN = "runs/dpo-00000000/seed-0"
SHAPE = Shape(methods=("dpo", "kto"), heldout=8, showcase=1, steps=4)
RECORDS = (
    "run.json",
    "train.json",
    "merge.json",
    "throughput.json",
    "generations.jsonl",
    "evaluation.json",
    "scores.json",
)
TABLES = ("runs.csv", "comparison.csv", "tasks.csv", "hyperparameters.csv", "tries.csv", "rivals.csv")
HASHED = (
    "data/heldout.jsonl", "data/data.json", "data/traits.json",
    *(f"{RUN}/{name}" for name in RECORDS),
    "report/index.html", "report/samples.jsonl", *(f"report/{name}" for name in TABLES),
)  # fmt: skip


def write_report(study: Path, report: Path) -> None:
    results = read_study(study)
    write_tables(results, compared(results), report)
    write_page(results, compared(results), report / "index.html")


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished study with weights, a report and what attests to both."""
    folder = build_study(tmp_path_factory.mktemp("study"), SHAPE)
    run = folder / RUN
    for name in ("adapter", "merged"):
        (run / name).mkdir()
        (run / name / "model.safetensors").write_bytes(name.encode())
    manifests = {"adapter": hashed_files(run / "adapter"), "model": hashed_files(run / "merged")}
    train, merge = TrainRecord.read(run / "train.json"), MergeRecord.read(run / "merge.json")
    train.model_copy(update={"adapter": manifests["adapter"]}).write(run / "train.json")
    merge.model_copy(update={"model": manifests["model"]}).write(run / "merge.json")
    write_report(folder, folder / "report")
    write_attestation(folder)
    return folder


@pytest.fixture
def flipped(study: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A file with its middle byte changed into another printable one; put back afterwards."""
    path = study / request.param
    kept = path.read_bytes()
    middle = len(kept) // 2
    path.write_bytes(kept[:middle] + (b"7" if kept[middle : middle + 1] != b"7" else b"3") + kept[middle + 1 :])
    yield request.param
    path.write_bytes(kept)


def test_nothing_is_found_where_nothing_was_changed(study: Path) -> None:
    assert changed_files(study, Attestation.read(study / FILE)) == []
    assert changed_weights(study) == []
    assert underived_scores(study) == []


@pytest.mark.parametrize("flipped", HASHED, indirect=True)
def test_a_byte_of_any_hashed_file_is_found(study: Path, flipped: str) -> None:
    assert changed_files(study, Attestation.read(study / FILE)) == [f"{flipped}: was changed after the report"]


@pytest.mark.parametrize(
    "flipped", [f"{RUN}/{name}/model.safetensors" for name in ("adapter", "merged")], indirect=True
)
def test_a_byte_of_any_weights_is_found(study: Path, flipped: str) -> None:
    assert changed_weights(study) == [f"{flipped}: is not the file of the run's record"]


@pytest.mark.parametrize("flipped", [CRATE], indirect=True)
def test_a_byte_of_the_crate_is_found(study: Path, flipped: str) -> None:
    found = changed_files(study, Attestation.read(study / FILE))
    assert found
    assert all(problem.startswith(f"{CRATE}: ") for problem in found)


def test_circumstances_that_were_changed_are_found_by_the_crate(study: Path) -> None:
    attested = study / FILE
    kept = attested.read_text()
    changed = kept.replace('"cores": "', '"cores": "1', 1)
    attested.write_text(changed)
    found = changed_files(study, Attestation.read(attested))
    attested.write_text(kept)
    assert changed != kept
    assert all(problem.startswith(f"{CRATE}: @graph.") for problem in found)
    assert any(".sha256: " in problem for problem in found)


def test_another_plan_is_found(study: Path) -> None:
    plan = study / "plan.json"
    kept = plan.read_text()
    for changed in (kept.replace('"smallest_effect": 0.02', '"smallest_effect": 0.01'), kept[:-9]):
        assert changed != kept
        plan.write_text(changed)
        found = changed_files(study, Attestation.read(study / FILE))
        plan.write_text(kept)
        assert [problem.partition(":")[0] for problem in found] == ["plan.json"]


def test_missing_and_added_files_are_found(study: Path) -> None:
    table, added = study / "report" / "runs.csv", study / RUN / "notes.txt"
    kept = table.read_bytes()
    table.unlink()
    added.write_text("x")
    found = changed_files(study, Attestation.read(study / FILE))
    table.write_bytes(kept)
    added.unlink()
    assert found == [
        "report/runs.csv: is missing, or cannot be read",
        f"{RUN}/notes.txt: was not there when the report was made",
    ]


def test_weights_that_are_gone_are_said_not_passed_over(study: Path) -> None:
    assert [note.partition(" are ")[0] for note in absent_weights(study)] == [
        "adapter weights of 1 runs",
        "merged weights of 2 runs",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "place"),
    [
        ("scores.json", '"emoji": ', '"emoji": 9', "prompts.0.metrics.emoji: 9"),
        ("generations.jsonl", '"answer": "', '"answer": "one more word ', "prompts.0.metrics.words: "),
        ("evaluation.json", '"chosen_log_prob": -', '"chosen_log_prob": -9', ".metrics.preference_"),
        (
            "generations.jsonl",
            '{"prompt": "s0000"',
            '{"prompt": "s0009"',
            "cannot be derived: 1 prompts without answer",
        ),
    ],
)
def test_scores_that_do_not_follow_from_the_answers_are_found_whatever_attests_to_them(
    study: Path, name: str, old: str, new: str, place: str
) -> None:
    path = study / RUN / name
    kept = path.read_text()
    assert old in kept
    path.write_text(kept.replace(old, new, 1))
    found = underived_scores(study)
    path.write_text(kept)
    assert found
    assert all(problem.startswith(f"{RUN}/scores.json: ") for problem in found)
    assert any(place in problem for problem in found), found


def test_a_cell_that_does_not_follow_is_named_with_both_values(study: Path, tmp_path: Path) -> None:
    write_report(study, tmp_path)
    assert underived(study / "report", tmp_path) == []
    table = study / "report" / "comparison.csv"
    kept = table.read_text()
    table.write_text(kept.replace(",not resolved,", ",better,", 1))
    found = underived(study / "report", tmp_path)
    table.write_text(kept)
    assert found == [
        "report/comparison.csv: row 3 (dpo-00000000), column verdict: 'better', from the records 'not resolved'"
    ]


def test_the_command_ends_with_1_and_says_where(study: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert verify.verified(study) == 0
    told = capfd.readouterr().out
    assert "everything is as it was recorded" in told
    assert sha256_of(study / CRATE) in told
    table = study / "report" / "runs.csv"
    kept = table.read_text()
    table.write_text(kept.replace("finished", "finishfd", 1))
    status = verify.verified(study)
    told = capfd.readouterr()
    table.write_text(kept)
    assert status == 1
    assert "report/runs.csv: was changed after the report" in told.err
    assert "report/runs.csv: row 2 (base-00000000/seed-0), column status: 'finishfd'" in told.err
    assert "2 problems" in told.out


def test_an_attestation_that_is_none_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.verified(tmp_path) == 1
    (tmp_path / FILE).write_text('{"study": "x"}')
    assert verify.verified(tmp_path) == 1
    told = capsys.readouterr().err
    assert "has not finished" in told
    assert "provenance.json is not a Attestation" in told


def test_whoever_checks_with_other_code_or_packages_is_told(study: Path) -> None:
    made = Attestation.read(study / FILE).model_copy(
        update={"checkout": {"commit": "abc", "edited": "yes"}, "versions": {"numpy": "1.0", "torch": "2"}}
    )
    assert circumstances_apart(made, {"commit": "def", "edited": "yes"}, {"numpy": "2.0"}) == [
        "commit abc made the report, this is def",
        "the checkout that made the report had edits, which are in no commit",
        "this checkout has edits",
        "numpy 1.0 made the report, this is 2.0",
    ]
    clean = made.model_copy(update={"checkout": {"commit": "abc", "edited": "no"}, "versions": {}})
    assert circumstances_apart(clean, {"commit": "abc", "edited": "no"}, {}) == []
