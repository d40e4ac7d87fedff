"""A failed run costs no other run its results, is a row in the report, and is continued by the same command."""

import json

import pandas

from tests.workflow.conftest import Project

CONTINUED = dict.fromkeys(["train", "merge", "measure", "score", "drift", "compare", "attest"], 1)


def test_a_failed_run_is_a_row_and_the_rest_finishes(project: Project) -> None:
    project.edit("study.yaml", "  dpo: {beta: 0.1}", "  dpo: {beta: 0.3}")
    outcome = project.snakemake(STUB_FAIL="dpo")
    assert outcome.returncode != 0
    runs = pandas.read_csv(project.study / "report" / "runs.csv", keep_default_na=False)
    failed = runs[runs["status"] == "failed"]
    assert list(failed["method"]) == ["dpo"]
    assert list(failed["failure_class"]) == ["nan"]
    assert (runs["status"] == "finished").sum() == 5
    page = (project.study / "report" / "index.html").read_text()
    assert "the loss is nan" in page


def test_the_same_command_continues(project: Project) -> None:
    project.edit("study.yaml", "  dpo: {beta: 0.1}", "  dpo: {beta: 0.3}")
    project.snakemake(STUB_FAIL="dpo")
    assert project.jobs() == CONTINUED
    assert project.snakemake().returncode == 0
    assert not list(project.study.rglob("failure-*.json"))
    assert set(pandas.read_csv(project.study / "report" / "runs.csv")["status"]) == {"finished"}


def test_a_distance_that_cannot_be_computed_costs_a_run_nothing_else(project: Project) -> None:
    project.edit("study.yaml", "  dpo: {beta: 0.1}", "  dpo: {beta: 0.3}")
    outcome = project.snakemake(STUB_FAIL_DRIFT="dpo")
    assert outcome.returncode != 0
    runs = pandas.read_csv(project.study / "report" / "runs.csv").set_index("method")
    assert set(runs["status"]) == {"finished"}
    assert runs["kl_from_base_test_mean"].isna().to_dict() == {method: method == "dpo" for method in runs.index}
    points = pandas.read_csv(project.study / "report" / "comparison.csv").set_index("method")
    assert "oom: two models do not fit" in points.loc["dpo", "drift_failures"]
    assert "two models do not fit" in (project.study / "report" / "index.html").read_text()
    assert project.jobs() == {"drift": 1, "compare": 1, "attest": 1}
    assert project.snakemake().returncode == 0
    assert not list(project.study.rglob("failure-*.json"))


def test_the_same_command_continues_a_study_that_was_never_complete(project: Project) -> None:
    project.edit("study.yaml", "study: tiny", "study: tiny-new")
    assert project.snakemake(STUB_FAIL="dpo").returncode != 0
    assert project.jobs() == CONTINUED


def test_a_study_in_which_everything_failed_has_a_report(project: Project) -> None:
    project.edit("study.yaml", "study: tiny", "study: tiny-failed")
    outcome = project.snakemake(STUB_FAIL="dpo orpo simpo kto cpo")
    assert outcome.returncode != 0
    report = project.directory / "results" / "tiny-failed" / "report"
    assert (report / "index.html").read_text().startswith("<!doctype html>")
    assert (pandas.read_csv(report / "runs.csv")["status"] == "failed").sum() == 5


def test_partial_reports_what_exists(project: Project) -> None:
    project.edit("study.yaml", "study: tiny", "study: tiny-partial")
    assert project.snakemake("--until", "train").returncode == 0
    assert project.snakemake("partial").returncode == 0
    runs = pandas.read_csv(project.directory / "results" / "tiny-partial" / "report" / "runs.csv")
    assert set(runs["status"]) == {"unfinished"}


def test_verify_finds_a_changed_byte(project: Project) -> None:
    assert project.snakemake("verify").returncode == 0
    scores = next(project.study.glob("runs/*/seed-0/scores.json"))
    document = json.loads(scores.read_text())
    document["prompts"][0]["metrics"]["emoji"] += 1
    scores.write_text(json.dumps(document))
    outcome = project.snakemake("verify")
    assert outcome.returncode != 0
    assert "was changed after the report" in outcome.stdout
    assert "scores.json: prompts.0.metrics.emoji: " in outcome.stdout
    assert "report/runs.csv: row " in outcome.stdout


def test_tidy_keeps_all_but_merged_weights(project: Project) -> None:
    merged = next(project.study.glob("runs/*/seed-0")) / "merged"
    merged.mkdir(exist_ok=True)
    (merged / "model.safetensors").write_bytes(bytes(1000))
    assert project.snakemake("tidy").returncode == 0
    assert not merged.exists()
    assert project.jobs() == {}
