"""A generation that was stopped asks for the rest, and only of the model and with the settings it was stopped with."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from prefsweep import kept_answers as kept_answers_module
from prefsweep.failures import StageError
from prefsweep.generation import generate
from prefsweep.kept_answers import FOLDER, KeptAnswers, kept_answers
from prefsweep.records.measure import Generation
from tests.fake_serving import SETTINGS, TOKEN_IDS, fake, prompts

MODEL = {"weights": "a1", "seed": 0}
ODD = "a\u2028b\x85c\r\nd"
"""Whose characters some take for ends of lines."""


def generation(number: int) -> Generation:
    part, said = "heldout", f"{ODD} {number}"
    return Generation(
        prompt=f"p{number}",
        part=part,  # type: ignore[arg-type]
        answer=said,
        finish_reason="stop",
        prompt_tokens=2,
        output_tokens=3,
        seconds=0.5,
    )


def keep(run: Path, *numbers: int, stopped_by: BaseException | None = None) -> None:
    with pytest.raises(type(stopped_by or KeyboardInterrupt())), kept_answers(run, MODEL, TOKEN_IDS) as kept:
        for number in numbers:
            kept.keep(generation(number), [1, 2])
        raise stopped_by or KeyboardInterrupt


def test_a_stopped_generation_asks_for_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = prompts(5)

    async def until_stopped(kept: KeptAnswers) -> None:
        with fake(tmp_path) as server:
            await generate(server, asked, TOKEN_IDS, SETTINGS, 0, kept)

    monkeypatch.setenv("FAKE_FAULTS", "die-generating")  # at the third
    with pytest.raises(StageError, match="ended with status -9"), kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        asyncio.run(until_stopped(kept))
    monkeypatch.delenv("FAKE_FAULTS")
    posted: list[str] = []
    _count_posts(monkeypatch, posted)
    with fake(tmp_path) as server, kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        there = sorted(kept.answers)
        found = asyncio.run(generate(server, asked, TOKEN_IDS, SETTINGS, 0, kept))
    assert 1 <= len(there) <= 2
    assert kept.resumed_at == [len(there)]
    assert sorted(posted) == sorted({f"hello {number}" for number in range(5)} - {f"hello {one[1:]}" for one in there})
    assert [one.answer for one in found] == [f"HELLO {number}" for number in range(5)]
    assert not (tmp_path / FOLDER).exists()


def _count_posts(monkeypatch: pytest.MonkeyPatch, posted: list[str]) -> None:
    post: Callable[..., object] = httpx2.AsyncClient.post

    def counted(self: httpx2.AsyncClient, url: str, **sent: object) -> object:
        posted.append(sent["json"]["messages"][-1]["content"])  # type: ignore[index]
        return post(self, url, **sent)

    monkeypatch.setattr(httpx2.AsyncClient, "post", counted)


def test_each_stop_is_counted_and_its_seconds_too(tmp_path: Path) -> None:
    keep(tmp_path, 0)
    keep(tmp_path, 1, 2)
    with kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        assert kept.resumed_at == [1, 3]
        assert kept.answers == {f"p{number}": generation(number) for number in range(3)}
        assert kept.seconds_before > 0


def test_a_stop_before_the_first_answer_is_none(tmp_path: Path) -> None:
    keep(tmp_path)
    with kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        assert (kept.answers, kept.resumed_at, kept.seconds_before) == ({}, [], 0.0)


@pytest.mark.parametrize("other", [MODEL | {"weights": "b2"}, MODEL | {"seed": 1}])
def test_answers_of_another_model_or_seed_are_not_kept(tmp_path: Path, other: dict[str, object]) -> None:
    keep(tmp_path, 0, 1)
    with kept_answers(tmp_path, other, TOKEN_IDS) as kept:
        assert (kept.answers, kept.resumed_at) == ({}, [])


def test_an_answer_to_other_tokens_is_asked_for_again(tmp_path: Path) -> None:
    keep(tmp_path, 0, 1)
    with kept_answers(tmp_path, MODEL, TOKEN_IDS | {"p0": [1, 3]}) as kept:
        assert list(kept.answers) == ["p1"]


@pytest.mark.parametrize("failure", ["wrong_model", "score"])
def test_no_answer_of_a_server_that_lied_is_kept(tmp_path: Path, failure: str) -> None:
    keep(tmp_path, 0, 1, stopped_by=StageError(failure, "it lies"))  # type: ignore[arg-type]
    assert not (tmp_path / FOLDER).exists()


@pytest.mark.parametrize("cut", [2, 30, 10_000])
def test_what_a_power_cut_left_of_a_line_is_asked_for_again(tmp_path: Path, cut: int) -> None:
    keep(tmp_path, 0, 1, 2)
    (file,) = (tmp_path / FOLDER).iterdir()
    content = file.read_bytes()
    file.write_bytes(content[:-cut])
    with kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        assert len(kept.answers) == (2 if cut < 10_000 else 0)


def test_answers_reach_the_disk_in_bounded_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(kept_answers_module.os, "fsync", synced.append)
    with kept_answers(tmp_path, MODEL, TOKEN_IDS) as kept:
        opened = len(synced)
        kept.keep(generation(0), [1, 2])
        assert len(synced) == opened
        monkeypatch.setattr(kept_answers_module, "_SYNC_SECONDS", 0.0)
        kept.keep(generation(1), [1, 2])
        assert len(synced) == opened + 1
