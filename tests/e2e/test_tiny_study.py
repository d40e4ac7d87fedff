"""The whole chain on the real ms-swift, vLLM and lm-eval: what each stage must leave behind."""

import csv
import json
import math
import subprocess

import psutil
import pytest

from prefsweep.files import read_jsonl, sha256_of, sha256_of_json
from prefsweep.records.drift import AnswerDrift, DriftRecord
from prefsweep.records.measure import Evaluation, Throughput
from prefsweep.records.merge import MergeRecord
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord
from tests.real_project import FinishedStudy

LABELLED = {"kto": "labelled"}
METHODS = ("dpo", "orpo", "simpo", "kto", "cpo")
ARMS = ("base", *METHODS)


def test_the_study_finishes(study: FinishedStudy) -> None:
    assert study.returncode == 0, study.output[-6000:]


@pytest.mark.parametrize("method", METHODS)
def test_training_used_every_row_and_learnt_something(study: FinishedStudy, method: str) -> None:
    record = TrainRecord.read(study.run(method) / "train.json")
    assert record.rows == record.expected_rows == (32 if method == "kto" else 16)
    assert record.steps == record.expected_steps == 2
    assert record.sequences == 32
    ids = sorted(row["id"] for row in read_jsonl(study.directory / "data" / f"{LABELLED.get(method, 'pairs')}.jsonl"))
    assert record.row_ids_sha256 == sha256_of_json(ids)
    assert record.adapter_norm > 0
    assert all(step.loss is not None for step in record.history)


def test_first_losses_are_what_theory_gives(study: FinishedStudy) -> None:
    def first_loss(method: str) -> float | None:
        return TrainRecord.read(study.run(method) / "train.json").history[0].loss

    assert first_loss("dpo") == pytest.approx(math.log(2), abs=1e-4)
    assert first_loss("kto") == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("method", METHODS)
def test_the_settings_file_is_pure(study: FinishedStudy, method: str) -> None:
    settings = json.loads((study.run(method) / "settings.json").read_text())
    assert settings["rlhf_type"] == method
    assert settings["seed"] == settings["data_seed"] == 3
    assert (settings["cpo_alpha"] if method == "simpo" else 0) == 0


@pytest.mark.parametrize("arm", ARMS)
def test_merged_models_equal_base_and_adapter(study: FinishedStudy, arm: str) -> None:
    directory = study.run(arm)
    record = MergeRecord.read(directory / "merge.json")
    for file in record.model:
        assert sha256_of(directory / "merged" / file.name) == file.sha256
    assert record.eos_token_ids == MergeRecord.read(study.run("base") / "merge.json").eos_token_ids
    if arm != "base":
        assert record.parity_max_abs_logit_difference is not None
        assert record.parity_max_abs_logit_difference <= 1e-5
        assert record.change_max_abs_logit_difference


@pytest.mark.parametrize("arm", ARMS)
def test_every_prompt_is_answered_once_and_timed(study: FinishedStudy, arm: str) -> None:
    directory = study.run(arm)
    answers = [row["prompt"] for row in read_jsonl(directory / "generations.jsonl")]
    assert len(answers) == len(set(answers)) == 9
    throughput = Throughput.read(directory / "throughput.json")
    assert [(timed.concurrency, timed.repeat) for timed in throughput.passes] == [
        (1, 0),
        (4, 0),
        (1, 1),
        (4, 1),
    ]
    assert all(timed.output_tokens == 32 for timed in throughput.passes)
    assert all(0 < timed.client_seconds < timed.wall_seconds for timed in throughput.passes)
    assert all(len(timed.request_e2e_seconds) == timed.requests == 4 for timed in throughput.passes)
    assert throughput.natural_answers == 9


@pytest.mark.parametrize("arm", ARMS)
def test_lm_eval_scored_every_pair(study: FinishedStudy, arm: str) -> None:
    evaluation = Evaluation.read(study.run(arm) / "evaluation.json")
    assert len(evaluation.pairs) == 8
    accuracy = sum(pair.chosen_log_prob > pair.rejected_log_prob for pair in evaluation.pairs) / 8
    assert evaluation.tasks["preference-accuracy"]["acc"] == pytest.approx(accuracy)
    assert evaluation.tasks["held-out-perplexity"]["word_perplexity"] > 1
    assert len(Scores.read(study.run(arm) / "scores.json").prompts) == 9


@pytest.mark.parametrize("method", METHODS)
def test_the_distance_from_the_base_is_that_of_every_answer(study: FinishedStudy, method: str) -> None:
    directory = study.run(method)
    record = DriftRecord.read(directory / "drift.json")
    answers = [AnswerDrift.model_validate(row) for row in read_jsonl(directory / "drift.jsonl")]
    assert record.opponent == f"{study.run('base').parent.name}/seed-3"
    asked = [row["prompt"] for row in read_jsonl(directory / "generations.jsonl")]
    assert [answer.prompt for answer in answers] == asked
    assert all(answer.kl_nats > 0 for answer in answers if answer.positions)
    with (study.report / "runs.csv").open() as stream:
        (row,) = (row for row in csv.DictReader(stream) if row["method"] == method)
    assert float(row["kl_from_base_test_mean"]) > 0


def test_arms_are_different_models(study: FinishedStudy) -> None:
    pairs = {
        arm: tuple(pair.chosen_log_prob for pair in Evaluation.read(study.run(arm) / "evaluation.json").pairs)
        for arm in ARMS
    }
    assert len(set(pairs.values())) == len(ARMS)


def test_the_report_has_a_row_per_run_and_per_point(study: FinishedStudy) -> None:
    with (study.report / "runs.csv").open() as stream:
        runs = list(csv.DictReader(stream))
    with (study.report / "comparison.csv").open() as stream:
        points = list(csv.DictReader(stream))
    assert sorted(row["method"] for row in runs) == sorted(ARMS)
    assert {row["status"] for row in runs} == {"finished"}
    assert sorted(row["method"] for row in points) == sorted(ARMS)
    assert len(read_jsonl(study.report / "samples.jsonl")) == 9 * len(ARMS)
    page = (study.report / "index.html").read_text()
    assert all(method in page for method in METHODS)


def test_a_second_call_has_nothing_to_do_and_verify_passes(study: FinishedStudy) -> None:
    def again(*target: str) -> subprocess.CompletedProcess[str]:
        directory = study.directory.parents[1]
        return subprocess.run(
            [*study.command, *target],
            cwd=directory,
            env=study.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    assert "Nothing to be done" in again().stdout
    verified = again("verify")
    assert verified.returncode == 0, verified.stdout


def test_no_server_is_left(study: FinishedStudy) -> None:
    merged = str(study.directory)
    left = [process.info["cmdline"] for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"]]
    assert not [command for command in left if any(merged in part for part in command)]
