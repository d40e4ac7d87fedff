"""The divergence of models from one another: by hand where it can be, and of real models."""

import math
from typing import Any

import pytest

from prefsweep.environments import ensure
from tests.e2e.drifts import MARK
from tests.e2e.trainer import told_by, write_tiny_model

FIRST_KL = 0.25 * math.log(2)
"""½ ln(½ / ¼) + ¼ ln(¼ / ½)"""
LAST_KL = 0.1 * math.log(1 / 2) + 0.7 * math.log(7 / 4) + 0.2 * math.log(1 / 2)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Case → what was found of it."""
    ensure(["train"], "cpu")
    folder = tmp_path_factory.mktemp("drift")
    for seed in ("0", "1"):
        write_tiny_model(folder / seed, "--seed", seed)
    return {one["case"]: one for one in told_by("drifts.py", MARK, str(folder / "0"), str(folder / "1"))}


@pytest.mark.parametrize("case", ["by hand", "by hand, token by token"])
def test_two_positions_by_hand(found: dict[str, dict[str, Any]], case: str) -> None:
    assert found[case]["positions"] == 2
    assert found[case]["kl_nats"] == pytest.approx(FIRST_KL + LAST_KL, abs=1e-6)
    token, end = math.log(2), math.log((0.1 + 0.2) / (0.2 + 0.4))  # any of two tokens ends an answer
    assert found[case]["log_ratio_nats"] == pytest.approx(token + end, abs=1e-6)


def test_an_answer_that_was_cut_off_has_no_end(found: dict[str, dict[str, Any]]) -> None:
    assert found["cut off"]["positions"] == 1
    assert found["cut off"]["kl_nats"] == pytest.approx(FIRST_KL, abs=1e-6)
    assert found["nothing"]["positions"] == 0


def test_what_is_no_number_is_refused(found: dict[str, dict[str, Any]]) -> None:
    assert found["not a number"]["failure"] == "nan"
    assert "prompt by hand, token 1 of the answer" in found["not a number"]["message"]


def test_a_model_is_no_way_from_itself(found: dict[str, dict[str, Any]]) -> None:
    assert abs(found["itself"]["kl_nats"]) <= 1e-6
    assert abs(found["itself"]["log_ratio_nats"]) <= 1e-6


def test_pieces_give_what_the_whole_gives(found: dict[str, dict[str, Any]]) -> None:
    whole, pieces = found["another"], found["another in pieces"]
    assert whole["positions"] == pieces["positions"] > 7
    assert pieces["kl_nats"] == pytest.approx(whole["kl_nats"], rel=1e-4)
    assert pieces["log_ratio_nats"] == pytest.approx(whole["log_ratio_nats"], rel=1e-4, abs=1e-3)


def test_a_divergence_is_positive_and_has_a_direction(found: dict[str, dict[str, Any]]) -> None:
    there, back = found["another"]["kl_nats"], found["the other way round"]["kl_nats"]
    assert there > 0 < back
    assert there != pytest.approx(back, rel=1e-3)
    assert found["the other way round"]["log_ratio_nats"] == pytest.approx(-found["another"]["log_ratio_nats"])
