"""Reading a study: whatever is missing or broken costs only the run it belongs to."""

from pathlib import Path

import pytest

from prefsweep.plan import BASE
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


@pytest.mark.parametrize("name", ["train.json", "scores.json", "generations.jsonl", "run.json"])
def test_an_unreadable_record_fails_its_run_alone_and_is_named(tmp_path: Path, name: str) -> None:
    folder = build_study(tmp_path, SMALL)
    (folder / "runs" / "dpo-00000000" / "seed-0" / name).write_text('{"run": 1', encoding="utf-8")
    study = read_study(folder)
    assert [run.status for run in study.runs] == ["finished", "failed", "finished"]
    assert name in study.runs[1].failures[0].message


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
    test = [score.metrics["words"] for score in run.prompt_scores if score.half == "test"]
    assert run.mean_metric("words", "test") == pytest.approx(sum(test) / len(test))
    assert run.mean_metric("no such metric") is None


def test_a_folder_without_a_plan_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_study(tmp_path)
