"""Another model's weights in a running server: what it says afterwards, and what nobody may mistake for that."""

from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.gates.measure import check_changed
from prefsweep.records.merge import Probe
from prefsweep.serving import check_identity
from prefsweep.swapping import swapped
from tests.fake_serving import PROBE, fake

ANOTHER = Probe(prompt="p", token_ids=[1, 2, 3], answer_tokens=1, log_probs=[-2.0, -2.0])


def test_a_server_says_what_the_other_model_says_and_nothing_of_its_own(tmp_path: Path) -> None:
    with fake(tmp_path) as server:
        before = check_identity(server, [PROBE], "float32")
        after = swapped(server, tmp_path / "orpo")
        assert after.name == server.name
        assert after.ready_seconds < server.ready_seconds
        check_changed(before, check_identity(after, [ANOTHER], "float32"))
        with pytest.raises(StageError, match="was expected") as caught:
            check_identity(after, [PROBE], "float32")
    assert caught.value.failure == "wrong_model"


def test_a_server_that_keeps_its_weights_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with fake(tmp_path) as server:
        before = check_identity(server, [PROBE], "float32")
        again = check_identity(swapped(server, tmp_path), [PROBE], "float32")
        with pytest.raises(StageError, match="the log-probabilities of the run before") as caught:
            check_changed(before, again)
    assert caught.value.failure == "wrong_model"
    monkeypatch.setenv("FAKE_FAULTS", "unswappable")
    with pytest.raises(StageError, match="the server keeps its weights: 500"), fake(tmp_path) as server:
        swapped(server, tmp_path / "orpo")
