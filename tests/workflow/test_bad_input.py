"""A study that cannot run says so before any job, with file, line and remedy, and a status other than zero."""

import pytest

from tests.workflow.conftest import STUDY, Project, new_project


@pytest.fixture(scope="module")
def unplanned(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A checkout in which no study was planned."""
    return new_project(tmp_path_factory.mktemp("unplanned") / "project")


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
def test_the_error_names_file_line_and_remedy(unplanned: Project, old: str, new: str, expected: list[str]) -> None:
    study = STUDY.format(model="base-model")
    assert study.count(old) == 1
    (unplanned.directory / "study.yaml").write_text(study.replace(old, new))
    said = unplanned.refused()
    for text in expected:
        assert text in said


def refused_by_the_command(project: Project) -> str:
    """What a call says that ends before its first job, with status 2."""
    outcome = project.snakemake()
    assert outcome.returncode == 2, outcome.stdout
    assert "nothing was started" in outcome.stdout
    assert "Traceback" not in outcome.stdout
    assert "Building DAG" not in outcome.stdout
    return outcome.stdout


def test_the_command_says_what_is_wrong_with_a_study(project: Project) -> None:
    project.edit("study.yaml", "beta: 0.1", "betta: 0.1")
    said = refused_by_the_command(project)
    assert said.splitlines()[-1] == project.refused().strip()


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


def test_the_command_says_what_is_wrong_with_data_and_what_to_do(project: Project) -> None:
    pairs = project.directory / "data/emoji-en/pairs.jsonl"
    lines = pairs.read_text().splitlines(keepends=True)
    lines[6] = '{"messages": [\n'
    pairs.write_text("".join(lines))
    said = refused_by_the_command(project)
    assert "pairs.jsonl:7" in said
    assert "\n  remedy: " in said


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
