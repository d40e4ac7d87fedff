"""Each gate, passed and failed: what a run must not get away with."""

import random
from typing import Any

import pytest

from prefsweep.failures import StageError
from prefsweep.gates.files import check_files
from prefsweep.gates.measure import check_answers, check_rendering, check_scored, check_served
from prefsweep.gates.merge import check_finite, check_merge, parity_bound
from prefsweep.gates.train import check_rows, check_schedule, check_training
from prefsweep.plan import Estimate, Point, Run
from prefsweep.records.base import FileHash
from prefsweep.records.measure import Generation, PairScore
from prefsweep.records.merge import Probe
from prefsweep.records.train import TrainRecord
from prefsweep.schedule import asked_learning_rate
from tests import example_study as example

PROBE = Probe(prompt="p", token_ids=[1, 2, 3, 4], answer_tokens=2, log_probs=[-4.0, -3.0, -1.0])


def trained(**changes: Any) -> TrainRecord:
    run = Run(
        id="dpo-00000000/seed-0",
        point="dpo-00000000",
        seed=0,
        estimate=Estimate(steps=1, sequences=1, seconds=None, disk_bytes=None),
    )
    point = Point(id=run.point, method="dpo", label="dpo", settings={}, objective="")
    record = example.train_record(run, point, random.Random(0), example.Shape())
    first = record.history[0].model_copy(update={"loss": 0.693147})
    record = record.model_copy(update={"expected_first_loss": 0.693147, "history": [first]})
    return record.model_copy(update=changes)


def test_every_row_was_trained_on_in_every_epoch() -> None:
    check_rows({"a": 2, "b": 3}, ["a", "b"], epochs=2)  # b also filled up the last batch of an epoch


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"a": 2, "b": 1}, "1 rows were not trained on in each of 2 epochs: b"),
        ({"a": 2}, "1 rows were not trained on in each of 2 epochs: b"),
        ({"a": 2, "b": 2, "z": 1}, "1 rows were never prepared: z"),
    ],
)
def test_a_row_the_engine_left_out_or_made_up(counts: dict[str, int], message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        check_rows(counts, ["a", "b"], epochs=2)
    assert caught.value.failure == "data"


def test_a_sound_training_passes() -> None:
    check_training(trained(), "float32")


@pytest.mark.parametrize(("loss", "passes"), [(25.02, True), (25.04, False), (None, False)])
def test_a_large_first_loss_may_be_off_by_its_share(loss: float | None, passes: bool) -> None:
    first = trained().history[0].model_copy(update={"loss": loss})
    record = trained(expected_first_loss=25.0, history=[first])
    if passes:
        check_training(record, "float32")
    else:
        with pytest.raises(StageError, match=r"theory gives 25\.0"):
            check_training(record, "float32")


@pytest.mark.parametrize(
    ("changes", "failure", "message"),
    [
        ({"rows": 143}, "data", "trained on 143 rows, 144 were prepared"),
        ({"steps": 35}, "data", "made 35 optimiser steps, 36 were expected"),
        ({"expected_first_loss": 0.5}, "model", "theory gives 0.500000"),
        ({"adapter_norm": 0.0}, "no_effect", "every LoRA B matrix is zero"),
    ],
)
def test_an_unsound_training_fails(changes: dict[str, Any], failure: str, message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        check_training(trained(**changes), "float32")
    assert caught.value.failure == failure


SCHEDULE: dict[str, Any] = {"learning_rate": 2e-4, "warmup_ratio": 0.05, "scheduler": "cosine"}


def scheduled(**settings: Any) -> TrainRecord:
    """Five logged steps of 36 that were made as `settings` ask."""
    asked, record = SCHEDULE | settings, trained()
    steps = [
        record.history[0].model_copy(
            update={"step": step, "learning_rate": asked_learning_rate(asked, step, record.expected_steps)}
        )
        for step in (1, 2, 3, 20, 36)
    ]
    return record.model_copy(update={"history": steps})


@pytest.mark.parametrize("scheduler", ["cosine", "linear", "constant"])
def test_a_schedule_as_it_was_asked_for_passes(scheduler: str) -> None:
    check_schedule(scheduled(scheduler=scheduler), SCHEDULE | {"scheduler": scheduler}, 36)


@pytest.mark.parametrize(
    ("really", "message"),
    [
        ({"learning_rate": 1e-4}, "step 2 of 36 was made with learning rate 5e-05; .* asks for 0.0001"),
        ({"warmup_ratio": 0.0}, "step 1 of 36 was made with learning rate 0.0002; .* asks for 0"),
        ({"scheduler": "constant"}, "step 20 of 36 was made with learning rate 0.0002; a cosine schedule"),
    ],
)
def test_another_schedule_than_asked_for_fails(really: dict[str, Any], message: str) -> None:
    with pytest.raises(StageError, match=message) as caught:
        check_schedule(scheduled(**really), SCHEDULE, 36)
    assert caught.value.failure == "internal"


@pytest.mark.parametrize(
    ("arguments", "failure"),
    [
        ((2e-5, 1.0, 1e-5, True, True), "model"),
        ((float("nan"), 1.0, 1e-5, True, True), "model"),
        ((0.0, 0.0, 1e-5, True, True), "no_effect"),
        ((0.0, 1.0, 1e-5, True, False), "model"),
    ],
)
def test_a_merge_that_is_not_base_and_adapter_fails(
    arguments: tuple[float, float, float, bool, bool], failure: str
) -> None:
    check_merge(1e-6, 1.0, 1e-5, tied=False, tied_after_reload=False)
    with pytest.raises(StageError) as caught:
        check_merge(*arguments)
    assert caught.value.failure == failure


def test_a_merged_model_that_gives_no_numbers_fails() -> None:
    check_finite([1.0, 30.0])
    with pytest.raises(StageError, match="nan") as caught:
        check_finite([1.0, float("nan")])
    assert caught.value.failure == "nan"


def test_the_bound_of_float32_is_absolute_until_logits_exceed_one() -> None:
    assert parity_bound("float32", 0.4) == 1e-5
    assert parity_bound("float32", 36.0) == pytest.approx(3.6e-4)


@pytest.mark.parametrize(
    "found",
    [
        [-4.01, -3.0, -1.0],
        [-3.9, -3.1, -1.0],  # as likely as a whole, and another model
        [-4.0, -3.0, float("nan")],
    ],
)
def test_a_server_of_another_model_is_found_out(found: list[float]) -> None:
    check_served(PROBE, [-4.0004, -3.0003, -1.0], "float32")
    with pytest.raises(StageError, match=r"merged model's -8\.000") as caught:
        check_served(PROBE, found, "float32")
    assert caught.value.failure == "wrong_model"


def test_rounding_to_bfloat16_is_no_other_model() -> None:
    check_served(PROBE, [-4.2, -2.8, -1.05], "bfloat16")
    with pytest.raises(StageError, match=r"in root mean square where 0\.35 was"):
        check_served(PROBE, [-4.5, -2.5, -1.0], "bfloat16")


def test_scores_of_other_answers_are_found_out() -> None:
    def scored(log_prob: float) -> list[PairScore]:
        return [
            PairScore(
                prompt="p",
                chosen_log_prob=log_prob,
                rejected_log_prob=-9.0,
                chosen_characters=9,
                rejected_characters=9,
            )
        ]

    check_scored([PROBE], scored(-4.001), "float32")
    with pytest.raises(StageError, match=r"log-probability of -5\.000"):
        check_scored([PROBE], scored(-5.0), "float32")


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            {"model.safetensors": "b" * 64, "config.json": "c" * 64},
            "merged/model.safetensors has sha256 bbb.*recorded aaa",
        ),
        ({"config.json": "c" * 64}, "merged/model.safetensors has sha256 none: it is missing"),
        (
            {"model.safetensors": "a" * 64, "config.json": "c" * 64, "x.py": "d" * 64},
            "merged/x.py .* recorded no such file",
        ),
    ],
)
def test_files_that_the_merge_did_not_leave(found: dict[str, str], message: str) -> None:
    def hashes(files: dict[str, str]) -> list[FileHash]:
        return [FileHash(name=name, bytes=1, sha256=sha256) for name, sha256 in files.items()]

    merged = hashes({"model.safetensors": "a" * 64, "config.json": "c" * 64})
    check_files("merge.json", "merged", merged, merged[::-1])
    with pytest.raises(StageError, match=message) as caught:
        check_files("merge.json", "merged", merged, hashes(found))
    assert caught.value.failure == "wrong_model"


START, SYSTEM = 1, [5, 6, 7]


@pytest.mark.parametrize(
    ("served", "message"),
    [
        ([START, START, *SYSTEM, 8, 9], r"from token 1 on, the trainer renders it as \[5, 6, 7, 8, 9\] \(6 tokens"),
        ([START, 8, 9], r"the server as \[8, 9\] \(3\)"),
        ([START, *SYSTEM, 8], r"from token 5 on, the trainer renders it as \[9\] .* the server as \[\] \(5\)"),
    ],
)
def test_a_double_start_and_a_missing_system_prompt_are_seen(served: list[int], message: str) -> None:
    trained = [START, *SYSTEM, 8, 9]
    check_rendering("p", {"the trainer": trained, "the tokenizer": tuple(trained), "the server": trained})
    with pytest.raises(StageError, match=message) as caught:
        check_rendering("p", {"the trainer": trained, "the tokenizer": trained, "the server": served})
    assert caught.value.failure == "wrong_model"


@pytest.mark.parametrize(("empty", "passes"), [(0, True), (9, True), (10, False)])
def test_answers_without_a_word_are_none(empty: int, passes: bool) -> None:
    def answer(text: str, finish_reason: str = "stop") -> Generation:
        return Generation(
            prompt="p",
            part="heldout",
            answer=text,
            finish_reason=finish_reason,
            prompt_tokens=3,
            output_tokens=1,
            seconds=1.0,
        )

    answers = [answer(" \n")] * empty + [answer("Yes.")] * (10 - empty)
    check_answers([answer(" \n", "length")] * 10)
    if passes:
        check_answers(answers)
        return
    with pytest.raises(StageError, match="10 of 10 answers are empty") as caught:
        check_answers(answers)
    assert caught.value.failure == "score"
