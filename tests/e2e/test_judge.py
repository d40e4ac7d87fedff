"""A judge that vLLM really serves. The tiny model is random: its verdicts are nonsense and have to be missing."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from prefsweep.environments import ensure, python_of
from prefsweep.failures import StageError
from prefsweep.plan import GenerateSettings
from prefsweep.serving import Server, serving
from tests.e2e.trainer import write_tiny_model
from tests.judge_desk import Desk, pair

NAME = "tiny-judge"
SETTINGS = GenerateSettings(
    max_tokens=16, temperature=0.0, precision="float32", concurrency=[4], repeats=1, timed_tokens=2, timed_requests=1
)
PAIRS = [
    pair("one", "Water it daily. 🌿", "Water it."),
    pair("two", "Rinse the rice.", "Cook it."),
    pair("three", "x", "x"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ensure(["train", "serve"], "cpu")
    directory = tmp_path_factory.mktemp("judge")
    write_tiny_model(directory / "model")
    vllm = [str(python_of("serve", "cpu").with_name("vllm")), "serve"]
    log = directory / "server.log"
    with serving(vllm, directory / "model", NAME, SETTINGS, device="cpu", max_length=2000, seed=0, log=log) as server:
        yield server


def test_nonsense_is_missing_and_is_not_asked_twice(server: Server, tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    settings = {"model": NAME, "max_tokens": 16, "retries": 1, "verdicts": "text"}
    judged = desk.judge(f"{server.url}/v1", PAIRS, server.key, **settings)
    assert [row.outcome for row in judged] == ["missing", "missing", "tie"]
    assert desk.requests == 2 * 2 * 2
    assert all(ballot.input_tokens > 100 and ballot.output_tokens <= 2 * 16 for ballot in judged[0].ballots)
    assert desk.judge(f"{server.url}/v1", PAIRS, server.key, **settings) == judged
    assert desk.requests == 0


def test_a_schema_is_kept_to(server: Server, tmp_path: Path) -> None:
    """With room for it even a random model's reply is the object that was asked for, up to where it is cut off."""
    judged = Desk(tmp_path).judge(f"{server.url}/v1", PAIRS, server.key, model=NAME, max_tokens=200, retries=0)
    assert all(ballot.reply.lstrip().startswith("{") for row in judged for ballot in row.ballots)
    assert {row.outcome for row in judged} <= {"win", "tie", "loss", "missing"}


@pytest.mark.parametrize(
    ("key", "changed", "message"),
    [
        ("wrong", {}, "refused the key"),
        (None, {"model": "nobody"}, "refused the request: status 404"),
        (None, {"max_tokens": 32000}, "refused the request: status 400"),
    ],
)
def test_a_real_servers_refusals_are_understood(
    server: Server, tmp_path: Path, key: str | None, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(StageError, match=message) as caught:
        Desk(tmp_path).judge(f"{server.url}/v1", PAIRS, key or server.key, **{"model": NAME} | changed)
    assert caught.value.failure == "config"
