"""Screen then confirm: every point to a rung, the best of each method to the end with every seed."""

import json

import pandas
import pytest

from tests.workflow.conftest import Project, new_project

METHODS = """\
methods:
  dpo: {beta: [0.05, 0.1, 0.2, 0.4]}
  kto: {beta: [0.1, 0.2]}
seeds: [0, 1]
search: {halving: {start: 0.25, keep: 0.5, rungs: 2}}
train: {batch_size: 16}
"""


def statuses(project: Project) -> dict[str, list[str]]:
    """Method → status of each planned run."""
    runs = pandas.read_csv(project.study / "report" / "runs.csv")
    return {method: sorted(rows["status"]) for method, rows in runs.groupby("method")}


def trained(project: Project) -> dict[str, float]:
    """Every manifest of an adapter → when it was written."""
    found = project.study.glob("runs/**/train.json")
    return {str(path.relative_to(project.study)): path.stat().st_mtime for path in found if path.stat().st_size}


def decision(project: Project, following: str) -> dict[str, list[str]]:
    """Point → kept, stopped or failed."""
    document = json.loads((project.study / "admission" / f"{following}.json").read_text())
    return {
        standing["point"]: "kept" if standing["kept"] else "failed" if standing["failure"] else "stopped"
        for standing in document["standings"]
    }


@pytest.fixture(scope="module")
def new_screened(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A screened study before its first call."""
    project = new_project(tmp_path_factory.mktemp("screened") / "project")
    study = project.directory / "study.yaml"
    head, _, _ = study.read_text().partition("methods:")
    study.write_text(head + METHODS)
    return project


@pytest.fixture(scope="module")
def screened(new_screened: Project) -> Project:
    """The study after a call in which one point failed at the first rung."""
    outcome = new_screened.snakemake(STUB_FAIL_RUN="kto:rung-1")
    assert outcome.returncode != 0
    return new_screened


def test_a_run_that_fails_at_a_rung_holds_nobody_up(screened: Project) -> None:
    assert sorted(decision(screened, "rung-2").values()) == ["failed", "failed", *["kept"] * 2, *["stopped"] * 2]
    found = statuses(screened)
    assert found["kto"] == ["failed"] * 4
    assert found["dpo"] == ["finished"] * 2 + ["stopped"] * 6
    page = (screened.study / "report" / "index.html").read_text()
    assert "at rung-1, train: step 7: the loss is nan" in page


def test_the_next_call_tries_again_what_failed_and_keeps_what_is_finished(screened: Project) -> None:
    before = trained(screened)
    outcome = screened.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    after = trained(screened)
    assert before.items() <= after.items()
    assert statuses(screened) == {"base": ["finished"], "dpo": ["finished"] * 2 + ["stopped"] * 6,
                                  "kto": ["finished"] * 2 + ["stopped"] * 2}  # fmt: skip
    assert screened.jobs() == {}
    assert screened.snakemake("verify").returncode == 0


def test_weights_that_only_screening_needed_are_gone(screened: Project) -> None:
    assert not list(screened.study.glob("runs/*/seed-0/rung-*/merged"))


def test_stopped_points_are_rows_with_the_reason_and_no_claim(screened: Project) -> None:
    points = pandas.read_csv(screened.study / "report" / "comparison.csv", keep_default_na=False)
    stopped = points[points["verdict"] == "stopped"]
    assert len(stopped) == 4
    assert stopped["reason"].str.contains("of its steps rank .* on the development half").all()
    assert (stopped["p_adjusted"] == "").all()
    assert (stopped["difference_to_base"] == "").all()


def test_the_page_shows_each_rung_and_what_was_saved(screened: Project) -> None:
    page = (screened.study / "report" / "index.html").read_text()
    assert "Rung 1, after 25% of the steps: the best 50% of each method" in page
    assert "Rung 2, after 50% of the steps" in page
    assert "optimiser steps were made" in page
    assert "Screening stopped 4 of 6 points; they are compared with none." in page


def test_without_halving_what_was_stopped_is_trained_and_nothing_else(screened: Project) -> None:
    before = trained(screened)
    screened.edit("study.yaml", "search: {halving: {start: 0.25, keep: 0.5, rungs: 2}}\n", "")
    stopped = 2 * 4
    assert screened.jobs() == {
        "train": stopped, "merge": stopped, "measure": stopped, "score": stopped, "drift": stopped,
        "compare": 1, "attest": 1,
    }  # fmt: skip
    assert screened.snakemake().returncode == 0
    assert before.items() <= trained(screened).items()
    assert {status for found in statuses(screened).values() for status in found} == {"finished"}


def test_screening_what_is_finished_trains_nothing(screened: Project) -> None:
    screened.edit("study.yaml", "seeds: [0, 1]\n", "seeds: [0, 1]\nsearch: {halving: {keep: 0.75, rungs: 1}}\n")
    assert screened.jobs() == {"admit": 1, "compare": 1, "attest": 1}
