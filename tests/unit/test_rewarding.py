"""Conversations before a reward model: how they are rendered, what is scored, and what is not believed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.plan import GenerateSettings
from prefsweep.records.data import HeldOutPrompt
from prefsweep.rewarding import CLASSIFY, Reader, score, score_sheet
from prefsweep.serving import Server, serving
from tests.tiny_models import make_tokenizer

FAKE = [sys.executable, str(Path(__file__).resolve().parents[1] / "fake_server.py")]
SETTINGS = GenerateSettings(max_tokens=8, temperature=0.0, concurrency=[2], repeats=1, timed_tokens=8, timed_requests=1)
PAD = 0
END = "<|im_end|>"


@contextmanager
def fake(directory: Path) -> Iterator[Server]:
    settings = {"device": "cpu", "max_length": 64, "seed": 0, "log": directory / "server.log", "arguments": CLASSIFY}
    with serving(FAKE, directory, "reward-model", SETTINGS, **settings) as server:  # type: ignore[arg-type]
        yield server


def prompt(name: str) -> HeldOutPrompt:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"What about {name}?"}]
    return HeldOutPrompt(id=name, cluster=name, part="heldout", half="test", messages=turns, chosen=None, rejected=None)


def reader(most_tokens: int = 2048, pad_token_id: int | None = PAD, template: str | None = None) -> Reader:
    tokenizer = make_tokenizer()
    tokenizer.chat_template = template or tokenizer.chat_template
    return Reader(tokenizer, pad_token_id, most_tokens)


def test_an_answer_is_rendered_in_its_place_by_the_models_own_template() -> None:
    found = reader()
    text = found.tokenizer.decode(found.conversation(prompt("tea"), "Hot.").token_ids)
    turns = [("system", "Be kind."), ("user", "What about tea?"), ("assistant", "Hot.")]
    assert text == "".join(f"<|im_start|>{role}\n{content}{END}\n" for role, content in turns)


def test_padding_at_the_end_is_not_read() -> None:
    """As in transformers, which reads the score at the last token that is no padding."""
    ends = "{% for message in messages %}{{ message['content'] + '<|im_end|>' }}{% endfor %}"
    end = make_tokenizer().convert_tokens_to_ids(END)
    whole = reader(template=ends).conversation(prompt("tea"), "Hot.").token_ids
    assert whole[-1] == end
    assert reader(template=ends, pad_token_id=end).conversation(prompt("tea"), "Hot.").token_ids == whole[:-1]
    assert reader(template=ends, pad_token_id=None).conversation(prompt("tea"), "Hot.").token_ids == whole


def test_a_template_that_refuses_the_prompt_is_named() -> None:
    strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system role') }}{% endif %}"
    with pytest.raises(StageError, match=r"template fails on prompt tea \(TemplateError: no system role\)") as caught:
        reader(template=strict).conversation(prompt("tea"), "Hot.")
    assert caught.value.failure == "model"


def test_every_conversation_is_scored_in_order_and_what_is_too_long_is_not(tmp_path: Path) -> None:
    """Of more than one request, and rows that come back in another order."""
    long = "word " * 200
    answers = ["a" * (number % 7) for number in range(70)]
    answers[3] = answers[69] = long
    found = reader(most_tokens=150)
    conversations = [found.conversation(prompt(f"p{number}"), answer) for number, answer in enumerate(answers)]
    with fake(tmp_path) as server:
        scored = score(server, found, conversations)
    assert [one.prompt for one in scored] == [f"p{number}" for number in range(70)]
    assert [one.tokens for one in scored] == [len(one.token_ids) for one in conversations]
    assert [number for number, one in enumerate(scored) if one.score is None] == [3, 69]
    assert all(one.score == pytest.approx(one.tokens / 10) for one in scored if one.score is not None)


def test_a_sheet_keeps_what_it_was_scored_with(tmp_path: Path) -> None:
    found = reader()
    columns = [[found.conversation(prompt("tea"), answer)] for answer in ("Hot.", "Hot and sweet.", "Cold.")]
    with fake(tmp_path) as server:
        sheet = score_sheet(server, found, columns)
    assert "--runner pooling" in " ".join(sheet.server_argv)
    assert [one.tokens for one in (*sheet.answers, *sheet.chosen, *sheet.rejected)] == [
        len(column[0].token_ids) for column in columns
    ]


@pytest.mark.parametrize(
    ("fault", "failure", "message"),
    [
        ("no-number", "score", "prompt tea: the score is nan"),
        ("two-labels", "wrong_model", "prompt tea: 2 scores from a model of one label"),
        ("miscounted", "score", "the server read [0-9]+ tokens where [0-9]+ were sent"),
        ("refusing", "score", "prompt tea and those after it: status 400"),
        ("other-answers", "wrong_model", "prompt tea was scored by somebody-else, not reward-model"),
    ],
)
def test_what_cannot_be_a_score_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str, failure: str, message: str
) -> None:
    monkeypatch.setenv("FAKE_FAULTS", fault)
    found = reader()
    with fake(tmp_path) as server, pytest.raises(StageError, match=message) as caught:
        score(server, found, [found.conversation(prompt("tea"), "Hot.")])
    assert caught.value.failure == failure
