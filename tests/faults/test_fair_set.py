"""Faults that would make a comparison unfair: rows only some methods see, prompts that leak, data that changes."""

import json
from pathlib import Path

import pytest

from prefsweep.files import read_jsonl
from prefsweep.plan import Plan
from prefsweep.records.audit import DataAudit
from tests.faults.pair_rows import labelled, pair, use_rows
from tests.workflow.conftest import Project, new_project

PREPARE = "results/tiny/data/data.json"
WORDS = "the old lighthouse keeper counted seven ships before the storm reached his harbour"
ROWS = [pair(f"question number {n}") for n in range(40)]
FURTHER_METHODS = "  simpo: {}\n  kto: {}\n  cpo: {}\n"
"""Without which a study that is run shows the same."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A checkout with a study that was never run."""
    return new_project(tmp_path / "project")


def test_d6_too_many_long_rows_are_refused_with_counts_and_percentiles(project: Project) -> None:
    use_rows(project, [pair(f"question number {n}", "word " * (40 if n < 8 else 2)) for n in range(40)])
    project.edit("study.yaml", "batch_size: 16", "batch_size: 16, max_length: 60")
    outcome = project.snakemake(PREPARE)
    assert outcome.returncode != 0
    for expected in ("longer than max_length 60, more than max_too_long 10%", "95 % ≤", "Raise train.max_length (to"):
        assert expected in outcome.stdout
    assert not (project.study / "data" / "data.json").exists()


def test_d6_every_method_keeps_the_same_rows(project: Project) -> None:
    use_rows(
        project, [pair(f"question number {n}", "word " * (40 if n < 8 else 2)) for n in range(40)], max_too_long=0.5
    )
    project.edit("study.yaml", "batch_size: 16", "batch_size: 16, max_length: 60")
    assert project.snakemake(PREPARE).returncode == 0
    pairs, labels = (read_jsonl(project.study / "data" / f"{name}.jsonl") for name in ("pairs", "labelled"))
    assert {row["id"].partition(".")[0] for row in labels} == {row["id"] for row in pairs}
    assert len(labels) == 2 * len(pairs)
    audit = DataAudit.read(project.study / "data" / "data.json")
    assert audit.training_dropped["longer than max_length"] == audit.training_rows_in - len(pairs) > 0


def test_d10_the_same_prompt_in_both_files_is_refused_before_any_job(project: Project) -> None:
    use_rows(project, ROWS, [pair("unlike all"), pair("Question  NUMBER 7?"), pair("question number 9")])
    outcome = project.snakemake()
    assert outcome.returncode == 2
    assert "2 held-out prompts leak into training" in outcome.stdout
    for line, row in ((2, 8), (3, 10)):
        assert f"heldout.jsonl:{line} has the prompt of {project.directory}/rows.jsonl:{row}" in outcome.stdout


def test_d10_shared_words_and_nearly_equal_prompts_are_refused(project: Project) -> None:
    near = "Explain to a curious child how the tides follow the moon around the earth"
    heldout = [pair("unlike all"), pair(f"Continue: {WORDS} and then"), pair(near.replace("curious", "furious"))]
    use_rows(project, [*ROWS, pair(f"Translate {WORDS}, please"), pair(near)], heldout)
    outcome = project.snakemake(PREPARE)
    assert outcome.returncode != 0
    assert "2 held-out prompts leak into training" in outcome.stdout
    assert f"heldout.jsonl:2 shares 13 words with {project.directory}/rows.jsonl:41" in outcome.stdout
    assert f"heldout.jsonl:3 shares 13 words with {project.directory}/rows.jsonl:42" not in outcome.stdout
    assert f"heldout.jsonl:3 is nearly the prompt of {project.directory}/rows.jsonl:42" in outcome.stdout


def test_d10_documents_of_a_benchmark_in_the_training_rows_are_refused(project: Project) -> None:
    answer = "first boil the water then add the leaves and wait for exactly three quiet minutes"
    own = [{"question": f"{WORDS}?", "options": ["a", answer]}, {"question": "unlike all"}, {"question": WORDS.upper()}]
    (project.directory / "bench.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    (project.directory / "config" / "tasks" / "own-bench.yaml").write_text(
        "task: own-bench\ndataset_path: json\ndataset_kwargs: {data_files: {test: bench.jsonl}}\ntest_split: test\n"
    )
    rows = [pair(f"Please summarise {WORDS}"), pair("How do I make tea?", f"Well, {answer}.")]
    use_rows(project, [*ROWS, *rows], [pair("unlike one"), pair("unlike two")])
    with (project.directory / "study.yaml").open("a") as stream:
        stream.write("evaluate: {tasks: [preference-accuracy, own-bench]}\n")
    outcome = project.snakemake()
    assert outcome.returncode == 2, outcome.stdout
    assert "2 benchmark documents leak into training" in outcome.stdout
    both = f"the prompt of {project.directory}/rows.jsonl:41 and the answer of {project.directory}/rows.jsonl:42"
    assert f"bench.jsonl:1 shares 13 words with {both}" in outcome.stdout
    assert f"bench.jsonl:3 shares 13 words with the prompt of {project.directory}/rows.jsonl:41" in outcome.stdout
    assert not (project.study / "data").exists()


def test_d10_a_known_contamination_is_said_by_the_plan(project: Project) -> None:
    hub = '{hub: huggingface, id: openbmb/UltraFeedback, revision: "40b4365"}'
    project.edit("study.yaml", "dataset: emoji-en", f"dataset: {hub}\nevaluate: {{tasks: [truthfulqa_mc2]}}")
    outcome = project.snakemake("plan")
    assert outcome.returncode == 0, outcome.stdout
    assert "openbmb/UltraFeedback is known to leak into truthfulqa_mc2" in " ".join(outcome.stdout.split())


def test_d11_repeated_held_out_prompts_are_one_cluster_and_said(project: Project) -> None:
    heldout = [pair("first one"), pair("First one!", "Sure"), pair("second one"), pair("second one")]
    use_rows(project, ROWS, heldout)
    assert project.snakemake(PREPARE).returncode == 0
    rows = [row for row in read_jsonl(project.study / "data" / "heldout.jsonl") if row["part"] == "heldout"]
    assert (len(rows), len({row["cluster"] for row in rows})) == (3, 2)
    notices = DataAudit.read(project.study / "data" / "data.json").notices
    assert "1 held-out row with the prompt of another; statistics count prompts" in notices
    assert "1 held-out row repeating an earlier one: dropped" in notices


def test_d12_data_that_changes_between_plan_and_preparation_is_refused(project: Project) -> None:
    """The stub that would fetch the model edits the rows, after the plan and before the first job."""
    use_rows(project, ROWS)
    row = json.dumps(pair("one more"))
    python = project.directory / ".envs" / "cpu" / "train" / "bin" / "python"
    python.write_text(f"#!/bin/sh\nprintf '%s\\n' '{row}' >> '{project.directory}/rows.jsonl'\n")
    outcome = project.snakemake()
    assert outcome.returncode != 0
    assert "the data set rows has changed since the study was planned" in outcome.stdout
    assert "Run the same command again" in outcome.stdout
    assert not list(project.study.glob("runs/*/*/train.json"))


def test_d12_runs_on_changed_data_are_other_runs(project: Project) -> None:
    use_rows(project, ROWS)
    project.edit("study.yaml", FURTHER_METHODS, "")
    assert project.snakemake(STUB_FAIL="dpo").returncode != 0
    first = Plan.read(project.study / "plan.json")
    use_again = (project.directory / "rows.jsonl").read_text().replace("gladly", "of course")
    (project.directory / "rows.jsonl").write_text(use_again)
    assert project.snakemake().returncode == 0
    second = Plan.read(project.study / "plan.json")
    assert first.data.revision != second.data.revision
    assert not {run.id for run in first.runs} & {run.id for run in second.runs}
    report = (project.study / "report" / "runs.csv").read_text()
    assert all(run.id in report for run in second.runs)
    assert not any(run.id in report for run in first.runs)


def test_rows_labelled_one_by_one_are_compared_by_what_answers_look_like(project: Project) -> None:
    """KTO alone, without held-out pairs: from study file to page, saying at each step what that leaves out."""
    use_rows(project, [labelled(f"question number {n}", f"answer {n}", n % 4 == 0) for n in range(60)])
    outcome = project.snakemake("plan")
    assert outcome.returncode == 2
    assert "cpo, dpo, orpo and simpo cannot train on this data" in outcome.stdout
    methods = "  dpo: {beta: 0.1}\n  orpo: {}\n  simpo: {}\n"
    project.edit("study.yaml", methods, "")
    project.edit("study.yaml", "  cpo: {}\n", "")
    outcome = project.snakemake("plan")
    assert outcome.returncode == 2
    assert "study.yaml:1: primary_metric: 'preference_accuracy' (the default) needs held-out pairs" in outcome.stdout
    project.edit("study.yaml", "device: cpu", "device: cpu\nprimary_metric: repetition")
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    plan = Plan.read(project.study / "plan.json")
    left = [task.name for task in plan.tasks]
    assert left == ["held-out-perplexity", "general-perplexity", "reasoning-choices", "reasoning-answers"]
    weights = plan.points[1].settings
    audit = DataAudit.read(project.study / "data" / "data.json")
    ratio = (
        weights["desirable_weight"] * audit.desirable_rows / (weights["undesirable_weight"] * audit.undesirable_rows)
    )
    assert 1 <= ratio <= 4 / 3
    assert f"λ_D = {weights['desirable_weight']:g}" in plan.points[1].objective
    page = (project.study / "report" / "index.html").read_text()
    assert "No held-out pairs: preference accuracy and margins cannot be measured" in page


@pytest.mark.parametrize("tasks", ["[preference-accuracy]", "[held-out-perplexity, preference-accuracy]"])
def test_preference_accuracy_without_held_out_pairs_is_refused(project: Project, tasks: str) -> None:
    use_rows(project, [labelled(f"question number {n}", f"answer {n}", n % 2 == 0) for n in range(20)])
    study = project.directory / "study.yaml"
    lines = [
        line for line in study.read_text().splitlines() if not line.strip().startswith(("dpo", "orpo", "simpo", "cpo"))
    ]
    study.write_text("\n".join([*lines, "primary_metric: truncated", f"evaluate: {{tasks: {tasks}}}", ""]))
    outcome = project.snakemake("plan")
    assert outcome.returncode == 2
    assert "evaluate.tasks: preference-accuracy compares the answers of held-out pairs: remove it" in outcome.stdout
    assert Path(study).name in outcome.stdout


def test_d12_held_out_prompts_that_changed_since_they_were_prepared_are_refused(project: Project) -> None:
    use_rows(project, ROWS)
    project.edit("study.yaml", FURTHER_METHODS, "")
    assert project.snakemake("--until", "merge").returncode == 0
    heldout = project.study / "data" / "heldout.jsonl"
    heldout.write_text(heldout.read_text().replace("gladly", "of course"))
    outcome = project.snakemake()
    assert outcome.returncode != 0
    assert "heldout.jsonl is not the file that was prepared" in outcome.stdout
    assert not list(project.study.glob("runs/*/*/scores.json"))
