"""A study that cannot run says so before any job, with file, line and remedy, and a status other than zero."""

import time

import pytest

from tests.workflow.conftest import Project


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("dpo:", "ppoo:", ["study.yaml:6", "methods.ppoo", "allowed here: aot, aot_unpaired"]),
        ("beta: 0.1", "betta: 0.1", ["study.yaml:6", "methods.dpo.betta", "did you mean 'beta'?"]),
        ("beta: 0.1", "beta: -1", ["study.yaml:6", "greater than 0"]),
        ("beta: 0.1", "beta: .nan", ["study.yaml:6", "finite"]),
        ("beta: 0.1", "simpo_gamma: 1", ["study.yaml:6", "unknown key"]),
        ("device: cpu", "device: cpu\nseeeds: [1]", ["study.yaml:5", "did you mean 'seeds'?"]),
        ("device: cpu", "device: cpu\ndevice: cpu", ["study.yaml:5", "device"]),
        ("emoji-en", "emoji-em", ["study.yaml:3", "did you mean 'emoji-en'?"]),
        ("dataset: emoji-en", "dataset: {path: no-such.jsonl}", ["study.yaml:3", "no such file"]),
        ("path: base-model", "path: no-such-model", ["no-such-model"]),
        ("device: cpu", "device: cpu\nprimary_metric: emoji", ["study.yaml:5", "primary_metric"]),
        ("study: tiny", "study: ../tiny", ["study.yaml:1", "study"]),
    ],
)
def test_the_error_names_file_line_and_remedy(project: Project, old: str, new: str, expected: list[str]) -> None:
    project.edit("study.yaml", old, new)
    started = time.monotonic()
    outcome = project.snakemake()
    seconds = time.monotonic() - started
    assert outcome.returncode == 2, outcome.stdout
    for text in expected:
        assert text in outcome.stdout
    assert "Traceback" not in outcome.stdout
    assert "Execute" not in outcome.stdout
    assert seconds < 20


def test_a_task_that_lm_eval_does_not_know_is_refused_before_anything_runs(project: Project) -> None:
    """At first by asking it, when its environment is there; then `plan` knows, too."""
    project.edit(
        "study.yaml", "device: cpu", "device: cpu\nseeds: [1]\nevaluate: {tasks: [preference-accuracy, arc_eazy]}"
    )
    assert project.snakemake("plan").returncode == 0
    for target in ([], ["plan"]):
        outcome = project.snakemake(*target)
        assert outcome.returncode == 2, outcome.stdout
        assert "study.yaml:6: evaluate.tasks.1: arc_eazy: is no file in config/tasks/" in outcome.stdout
        assert "lm-eval 0.4.13; did you mean 'arc_easy'?" in outcome.stdout
        assert "Traceback" not in outcome.stdout
    assert not [*project.study.glob("runs/*/seed-1")]


def test_a_malformed_row_is_found_before_anything_runs(project: Project) -> None:
    pairs = project.directory / "data/emoji-en/pairs.jsonl"
    lines = pairs.read_text().splitlines(keepends=True)
    lines[6] = '{"messages": [\n'
    pairs.write_text("".join(lines))
    outcome = project.snakemake()
    assert outcome.returncode == 2
    assert "pairs.jsonl:7" in outcome.stdout
    assert "remedy" in outcome.stdout


def test_a_sweep_larger_than_max_runs_must_be_confirmed(project: Project) -> None:
    project.edit("study.yaml", "device: cpu", "device: cpu\nmax_runs: 3")
    outcome = project.snakemake("--dry-run")
    assert outcome.returncode == 2
    assert "6 runs" in outcome.stdout


def test_plan_prints_the_runs_and_starts_nothing(project: Project) -> None:
    project.edit("study.yaml", "study: tiny", "study: planned")
    outcome = project.snakemake("plan")
    assert outcome.returncode == 0
    assert "One seed" in outcome.stdout
    folder = project.directory / "results" / "planned"
    assert sorted(path.name for path in folder.iterdir() if path.is_file()) == ["plan.csv", "plan.json"]
    assert not (folder / "runs").exists()
