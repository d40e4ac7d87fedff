"""Reading a study: whatever is missing or broken costs only the run it belongs to."""

from pathlib import Path

import pytest

from prefsweep.failures import recorded
from prefsweep.lifetime import Running
from prefsweep.plan import BASE, run_directory
from prefsweep.records.score import Scores
from prefsweep.results import SERVING_COLUMNS, read_study
from tests.example_study import Shape, build_study

SMALL = Shape(methods=("dpo", "orpo"), heldout=6, showcase=1, steps=4)


def test_a_finished_study_is_read_whole(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, SMALL))
    assert [run.status for run in study.runs] == ["finished"] * 3
    assert [prompt.part for prompt in study.prompts].count("showcase") == 1
    assert study.audit is not None
    assert study.audit.training_rows == 160
    base = study.runs[0]
    assert base.point.method == BASE
    assert base.train is None


def test_failed_and_unfinished_runs_are_rows(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "orpo", "kto"), failed=("kto",), unfinished=("orpo",), heldout=4)
    study = read_study(build_study(tmp_path, shape))
    assert [run.status for run in study.runs] == ["finished", "finished", "unfinished", "failed"]
    assert study.runs[-1].failures[0].failure == "nan"


def test_a_stage_that_died_without_a_word_failed_and_one_that_runs_is_unfinished(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo", "orpo"), unfinished=("orpo",), heldout=4))
    directory = run_directory(folder, "orpo-00000000/seed-0")
    with recorded("orpo-00000000/seed-0", "train", directory):
        assert read_study(folder).runs[-1].status == "unfinished"
        left = Running.read(directory / "running-train.json")
    left.write(directory / "running-train.json")
    killed = read_study(folder).runs[-1]
    assert killed.status == "failed"
    assert [(failure.stage, failure.failure) for failure in killed.failures] == [("train", "killed")]
    (directory / "running-train.json").write_text("")
    assert "running-train.json cannot be read" in read_study(folder).runs[-1].failures[0].message


def test_a_stage_killed_after_it_recorded_its_failure_failed_once(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo", "kto"), failed=("kto",), heldout=4))
    directory = run_directory(folder, "kto-00000000/seed-0")
    failure = (directory / "failure-train.json").read_bytes()
    with recorded("kto-00000000/seed-0", "train", directory):
        left = Running.read(directory / "running-train.json")
    left.write(directory / "running-train.json")
    (directory / "failure-train.json").write_bytes(failure)
    assert [failure.failure for failure in read_study(folder).runs[-1].failures] == ["nan"]


@pytest.mark.parametrize("name", ["train.json", "scores.json", "generations.jsonl", "run.json"])
def test_an_unreadable_record_fails_its_run_alone_and_is_named(tmp_path: Path, name: str) -> None:
    folder = build_study(tmp_path, SMALL)
    (folder / "runs" / "dpo-00000000" / "seed-0" / name).write_text('{"run": 1', encoding="utf-8")
    study = read_study(folder)
    assert [run.status for run in study.runs] == ["finished", "failed", "finished"]
    assert name in study.runs[1].failures[0].message


def test_a_line_that_is_no_answer_is_named(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SMALL)
    file = folder / "runs" / "dpo-00000000" / "seed-0" / "generations.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join([*lines[:2], lines[2].replace('"seconds"', '"second"'), *lines[3:]]), encoding="utf-8")
    run = read_study(folder).runs[1]
    assert run.status == "failed"
    assert "generations.jsonl:3 is no Generation" in run.failures[0].message
    assert "second" in "".join(run.failures[0].last_lines)


def test_a_run_missing_one_record_is_unfinished(tmp_path: Path) -> None:
    folder = build_study(tmp_path, SMALL)
    (folder / "runs" / "orpo-00000000" / "seed-0" / "throughput.json").unlink()
    assert read_study(folder).runs[2].status == "unfinished"


def test_serving_numbers_are_medians_over_repeats(tmp_path: Path) -> None:
    run = read_study(build_study(tmp_path, SMALL)).runs[1]
    assert run.throughput is not None
    speeds = sorted(one.output_tokens_per_second for one in run.throughput.passes if one.concurrency == 8)
    assert run.serving(8)["output_tokens_per_second"] == speeds[1]
    assert list(run.serving(8)) == list(SERVING_COLUMNS)
    assert run.serving(3) == {}


def test_means_keep_to_their_half_and_leave_showcase_prompts_out(tmp_path: Path) -> None:
    run = read_study(build_study(tmp_path, SMALL)).runs[1]
    scores = Scores.read(tmp_path / "example" / "runs" / run.run.id / "scores.json").prompts
    test = [score.metrics["words"] for score in scores if score.half == "test"]
    assert len(test) == 3
    assert run.mean_metric("words", "test") == pytest.approx(sum(test) / len(test))
    found = run.prompt_scores
    assert all(found[score.prompt].items() >= score.metrics.items() for score in scores)
    rewarded = {prompt for prompt, metrics in found.items() if "reward_margin" in metrics}
    assert rewarded == {score.prompt for score in scores if "preference_margin" in score.metrics}
    assert run.mean_metric("no such metric") is None


def test_a_folder_without_a_plan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_study(tmp_path)
