"""Several models and data sets in one file: a study for each pair of them, and a page above theirs."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from tests.workflow.conftest import Project, new_project

STUDY = """\
study: pairs
model: {name: first, path: base-model, model_type: llama, template: chatml}
dataset: [emoji-en, {name: fewer, path: fewer.jsonl}]
device: cpu
methods: {dpo: , simpo: }
train: {batch_size: 16}
"""
NAMES = ["first-on-emoji-en", "first-on-fewer"]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A model on two data sets, run to the end."""
    directory = tmp_path_factory.mktemp("several") / "project"
    project = with_two_data_sets(directory)
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    yield project
    shutil.rmtree(directory)


def with_two_data_sets(directory: Path) -> Project:
    project = new_project(directory)
    rows = (directory / "data" / "emoji-en" / "pairs.jsonl").read_text().splitlines(keepends=True)
    (directory / "fewer.jsonl").write_text("".join(rows[::2]))
    (directory / "study.yaml").write_text(STUDY)
    return project


def test_every_pair_has_a_study_of_its_own(pairs: Project) -> None:
    results = pairs.directory / "results" / "pairs"
    assert sorted(folder.parent.name for folder in results.glob("*/provenance.json")) == sorted(NAMES)
    pages = [results / name / "report" / "index.html" for name in NAMES]
    assert all(name in page.read_text() for name, page in zip(NAMES, pages, strict=True))
    points = {name: sorted(folder.name for folder in (results / name / "runs").iterdir()) for name in NAMES}
    assert len({point for found in points.values() for point in found}) == 2 * 3


def test_the_overview_leads_to_the_pages_and_holds_their_rows(pairs: Project) -> None:
    report = pairs.directory / "results" / "pairs" / "report"
    page = (report / "index.html").read_text()
    assert all(f'href="../{name}/report/index.html"' in page for name in NAMES)
    together = pd.read_csv(report / "overview.csv")
    alone = [pd.read_csv(report.parent / name / "report" / "comparison.csv") for name in NAMES]
    assert together["estimate"].tolist() == pd.concat(alone)["estimate"].tolist()
    assert set(zip(together["model"], together["data"], strict=True)) == {("first", "emoji-en"), ("first", "fewer")}


def test_nothing_is_left_to_do_and_a_second_model_keeps_what_is_finished(pairs: Project) -> None:
    assert pairs.jobs() == {}
    directory = pairs.directory
    shutil.copytree(directory / "base-model", directory / "other-model", dirs_exist_ok=True)
    one = "{name: first, path: base-model, model_type: llama, template: chatml}"
    two = f"[{one}, {{path: other-model, model_type: llama, template: chatml}}]"
    pairs.edit("study.yaml", one, two)
    jobs = pairs.jobs()
    pairs.edit("study.yaml", two, one)
    assert jobs == {
        "prepare": 2, "describe": 2, "train": 4, "merge": 6, "measure": 6, "score": 6, "drift": 4, "compare": 2,
        "attest": 2, "overview": 1,
    }  # fmt: skip


def test_an_edit_of_one_data_set_runs_what_rests_on_it_alone(pairs: Project) -> None:
    before = (pairs.directory / "fewer.jsonl").read_text()
    (pairs.directory / "fewer.jsonl").write_text("".join(before.splitlines(keepends=True)[:-1]))
    jobs = pairs.jobs()
    (pairs.directory / "fewer.jsonl").write_text(before)
    assert (jobs["prepare"], jobs["train"], jobs["overview"]) == (1, 2, 1)


def test_plan_tells_each_study_and_their_sum(pairs: Project) -> None:
    told = pairs.snakemake("plan", "--quiet").stdout
    assert all(f"pairs/{name}: 3 points" in told for name in NAMES)
    assert "all studies" in told.partition(f"pairs/{NAMES[-1]}: ")[2]


def test_verify_looks_at_all_of_them_and_at_the_overview(pairs: Project) -> None:
    assert pairs.snakemake("verify").returncode == 0
    overview = pairs.directory / "results" / "pairs" / "report" / "overview.csv"
    kept = overview.read_bytes()
    overview.write_bytes(kept.replace(b",dpo,", b",cpo,", 1))
    outcome = pairs.snakemake("verify")
    found = overview.read_bytes()
    overview.write_bytes(kept)
    assert outcome.returncode != 0
    assert found != kept, "verify mended what it was to report"
    assert pairs.snakemake("verify").returncode == 0, "verify removed what attests to the study"
    assert "overview.csv: row 3 (first), column method: 'cpo', from the records 'dpo'" in outcome.stdout


def test_a_run_that_fails_costs_no_other_study_and_every_report_is_made(pairs: Project, tmp_path: Path) -> None:
    copy = with_two_data_sets(tmp_path / "project")
    outcome = copy.snakemake(STUB_FAIL="simpo")
    assert outcome.returncode != 0
    results = copy.directory / "results" / "pairs"
    for name in NAMES:
        table = pd.read_csv(results / name / "report" / "runs.csv").set_index("method")
        assert (table.loc["dpo", "status"], table.loc["simpo", "status"]) == ("finished", "failed")
    assert "is-failed" in (results / "report" / "index.html").read_text()
    assert copy.snakemake().returncode == 0
    assert pd.read_csv(results / "report" / "overview.csv")["seeds_failed"].sum() == 0
