"""What an edit re-runs: exactly the jobs it concerns, no more and no fewer."""

import json
import os
import time
from pathlib import Path

import pytest

from tests.workflow.conftest import Project

REPORT = {"compare": 1, "attest": 1}
WHOLE_RUN = {"train": 1, "merge": 1, "measure": 1, "score": 1, "drift": 1}
MEASURED = {"measure": 6, "score": 6, "drift": 5}


def test_a_finished_study_has_nothing_to_do(project: Project) -> None:
    assert project.jobs() == {}
    assert "Nothing to be done" in project.snakemake().stdout


def skew(folder: Path, odd_seconds: float) -> None:
    """Every second file of a folder is from so much later, the others from so much earlier."""
    now = time.time()
    for number, path in enumerate(sorted(folder.rglob("*"))):
        if path.is_file() and not path.is_symlink():
            skewed = now + (odd_seconds if number % 2 else -odd_seconds)
            os.utime(path, (skewed, skewed))


@pytest.mark.parametrize("folders", ["scripts rules config envs data", "results"])
def test_clocks_an_hour_off_either_way_re_run_nothing(project: Project, folders: str) -> None:
    for folder in folders.split():
        skew(project.directory / folder, 3600)
    assert project.jobs() == {}


def test_stages_whose_clocks_are_an_hour_off_are_done_once(project: Project) -> None:
    """Of a run that is made among files from the future and from the past, as other machines write them."""
    project.edit("study.yaml", "dpo: {beta: 0.1}", "dpo: {beta: 0.2}")
    for stage, odd_seconds in (("train", 3600), ("merge", -3600)):
        skew(project.study, odd_seconds)
        outcome = project.snakemake("--until", stage)
        assert outcome.returncode == 0, outcome.stdout
    skew(project.study, 3600)
    assert project.jobs() == {"measure": 1, "score": 1, "drift": 1} | REPORT


def test_large_data_that_were_touched_are_not_prepared_again(project: Project) -> None:
    large = project.directory / "large.jsonl"
    rows = ({"prompt": f"How are you, {number}?", "chosen": "Well 😊", "rejected": "Well."} for number in range(16_000))
    large.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert large.stat().st_size > 1 << 20, "more than Snakemake compares by content unless told to"
    project.edit("study.yaml", "study: tiny", "study: large")
    project.edit("study.yaml", "dataset: emoji-en", "dataset: {path: large.jsonl, limit: 100}")
    assert project.snakemake("--until", "prepare").returncode == 0
    later = time.time() + 3600
    os.utime(large, (later, later))
    assert project.jobs("--until", "prepare") == {}


def test_one_changed_hyperparameter_re_runs_that_point(project: Project) -> None:
    project.edit("study.yaml", "dpo: {beta: 0.1}", "dpo: {beta: 0.2}")
    assert project.jobs() == WHOLE_RUN | REPORT


def test_a_new_value_keeps_the_old_point(project: Project) -> None:
    before = {path.parent.parent.name for path in project.study.glob("runs/dpo-*/seed-0/train.json")}
    project.edit("study.yaml", "dpo: {beta: 0.1}", "dpo: {beta: [0.1, 0.2]}")
    assert project.jobs() == WHOLE_RUN | REPORT
    assert project.snakemake().returncode == 0
    after = {path.parent.parent.name for path in project.study.glob("runs/dpo-*/seed-0/train.json")}
    assert before < after
    assert len(after) == 2


def test_a_new_swept_key_keeps_runs_whose_settings_are_unchanged(project: Project) -> None:
    default = 8
    project.edit("study.yaml", "batch_size: 16", f"batch_size: 16, lora_rank: [{default}, 16]")
    assert project.jobs() == dict.fromkeys(WHOLE_RUN, 5) | REPORT


@pytest.mark.parametrize(
    "asked", ["generate: {slo: {ttft_seconds: 0.5}}", "cost: {per_hour: 2.5}", "wants: [emoji, characters]"]
)
def test_what_only_the_report_asks_about_makes_it_anew_and_measures_nothing(project: Project, asked: str) -> None:
    project.edit("study.yaml", "device: cpu", f"device: cpu\n{asked}")
    assert project.jobs() == REPORT


def test_a_new_seed_trains_every_method_once_more(project: Project) -> None:
    project.edit("study.yaml", "device: cpu", "device: cpu\nseeds: [0, 1]")
    assert project.jobs() == dict.fromkeys(WHOLE_RUN, 5) | REPORT


@pytest.mark.parametrize(
    ("edited", "again"),
    [
        ("scripts/score.py", {"score": 6} | REPORT),
        ("scripts/prefsweep/style.py", {"score": 6, "describe": 1} | REPORT),
        ("scripts/prefsweep/baselines.py", {"describe": 1} | REPORT),
        ("scripts/prefsweep/page.py", REPORT),
        ("scripts/prefsweep/timing.py", MEASURED | REPORT),
        ("scripts/prefsweep/merging.py", {"merge": 6} | MEASURED | REPORT),
        ("scripts/prefsweep/training.py", dict.fromkeys(WHOLE_RUN, 5) | REPORT),
        ("scripts/prefsweep/divergence.py", {"drift": 5} | REPORT),
        ("scripts/attest.py", {"attest": 1}),
    ],
)
def test_edited_code_re_runs_what_uses_it(project: Project, edited: str, again: dict[str, int]) -> None:
    with (project.directory / edited).open("a") as stream:
        stream.write("\n# edited\n")
    assert project.jobs() == again


def test_a_method_file_concerns_its_method_alone(project: Project) -> None:
    with (project.directory / "config/methods/cpo.yaml").open("a") as stream:
        stream.write("# edited\n")
    assert project.jobs() == WHOLE_RUN | REPORT


def test_a_tasks_own_documents_are_held_against_the_rows_and_retrain_nothing(project: Project) -> None:
    (project.directory / "own.jsonl").write_text('{"q": "Who counted the ships?"}\n')
    task = "task: own\ndataset_path: json\ntest_split: test\ndataset_kwargs: {data_files: {test: own.jsonl}}\n"
    (project.directory / "config/tasks/own.yaml").write_text(task)
    tasks = "evaluate: {tasks: [preference-accuracy, held-out-perplexity, own]}\n"
    project.edit("study.yaml", "device: cpu", f"device: cpu\n{tasks}")
    assert project.jobs() == {"describe": 1} | MEASURED | REPORT
    assert project.snakemake("--until", "describe", "score").returncode == 0
    assert '"documents": 1,' in (project.study / "data" / "traits.json").read_text()
    (project.directory / "own.jsonl").write_text('{"q": "Who counted the boats?"}\n')
    assert project.jobs() == {"describe": 1} | MEASURED | REPORT


def test_a_tasks_settings_measure_anew_and_train_nothing(project: Project) -> None:
    tasks = ["preference-accuracy", "held-out-perplexity", "general-perplexity", "reasoning-answers"]
    given = ", ".join([*tasks[:3], "{name: reasoning-choices, limit: 9}", *tasks[3:]])
    project.edit("study.yaml", "device: cpu", f"device: cpu\nevaluate: {{tasks: [{given}]}}")
    assert project.jobs() == MEASURED | REPORT


def test_generation_settings_do_not_retrain(project: Project) -> None:
    with (project.directory / "study.yaml").open("a") as stream:
        stream.write("generate: {max_tokens: 32}\n")
    assert project.jobs() == MEASURED | REPORT


def test_a_new_lock_re_runs_what_uses_the_environment(project: Project) -> None:
    with (project.directory / "envs/cpu/serve.txt").open("a") as stream:
        stream.write("# edited\n")
    assert project.jobs() == MEASURED | REPORT


def test_a_finished_study_can_do_without_the_distance_from_the_base_and_take_it_up_again(project: Project) -> None:
    for record in project.study.glob("runs/*/*/drift.json*"):
        record.unlink()
    project.edit("study.yaml", "device: cpu", "device: cpu\nevaluate: {kl_from_base: false}")
    assert project.jobs() == REPORT
    assert project.snakemake().returncode == 0
    assert "kl_from_base" not in (project.study / "report" / "runs.csv").read_text()
    project.edit("study.yaml", "{kl_from_base: false}", "{kl_from_base: true}")
    assert project.jobs() == {"drift": 5} | REPORT


def test_changed_data_is_a_new_study(project: Project) -> None:
    pairs = project.directory / "data/emoji-en/pairs.jsonl"
    pairs.write_text("".join(pairs.read_text().splitlines(keepends=True)[:-1]))
    jobs = project.jobs()
    assert jobs["prepare"] == 1
    assert jobs["train"] == 5
    assert jobs["merge"] == 6


def test_a_data_sets_settings_are_part_of_its_data_and_its_description_is_not(project: Project) -> None:
    file = project.directory / "config/datasets/emoji-en.yaml"
    file.write_text(file.read_text().replace("written for prefsweep", "written for a test"))
    assert "prepare" not in project.jobs()
    file.write_text(file.read_text() + "limit: 100\n")
    assert project.jobs()["prepare"] == 1


def test_moving_the_environments_re_runs_nothing(project: Project) -> None:
    moved = project.directory / "environments"
    (project.directory / ".envs").rename(moved)
    project.environment["PREFSWEEP_ENVS"] = str(moved)
    assert project.jobs() == {}


def test_moving_the_project_re_runs_nothing(project: Project) -> None:
    moved = project.directory.with_name("elsewhere")
    project.directory.rename(moved)
    try:
        assert Project(moved).jobs() == {}
    finally:
        moved.rename(project.directory)
