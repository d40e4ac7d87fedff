"""The shapes rows come in: detected, explained, and every row checked."""

import json
from pathlib import Path
from typing import Any

import pytest

from prefsweep.examples import Reading
from prefsweep.failures import StageError
from prefsweep.formats import Content, Example
from prefsweep.rows import Problems

TRAINING: tuple[Content, ...] = ("pairs", "labelled")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


GOOD = {"messages": [user("Hi?"), assistant("Hello 😊")], "rejected_response": "Hello."}
GOOD_LABEL = {"messages": [user("Hi?"), assistant("Hello 😊")], "label": True}


def read(
    folder: Path, rows: list[dict[str, Any]], accepted: tuple[Content, ...] = TRAINING, **options: Any
) -> tuple[list[Example], Reading]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reading = Reading(path, accepted, Problems(), **options)
    return list(reading), reading


@pytest.mark.parametrize(
    ("row", "name", "example"),
    [
        (
            GOOD,
            "ms-swift messages + rejected_response",
            Example(1, [user("Hi?")], answer="Hello 😊", rejected="Hello."),
        ),
        (
            {"messages": GOOD["messages"], "rejected_messages": [user("Hi?"), assistant("Hello.")]},
            "ms-swift messages + rejected_messages",
            Example(1, [user("Hi?")], answer="Hello 😊", rejected="Hello."),
        ),
        (
            {"question": "Hi?", "content": "Hello 😊", "rejected_response": "Hello."},
            "question, content, rejected_response",
            Example(1, [user("Hi?")], answer="Hello 😊", rejected="Hello."),
        ),
        (
            GOOD_LABEL,
            "ms-swift messages + label",
            Example(1, [user("Hi?")], answer="Hello 😊", desirable=True),
        ),
        ({"messages": [user("Hi?")]}, "messages, prompts only", Example(1, [user("Hi?")])),
    ],
)
def test_each_format_is_detected_and_read(tmp_path: Path, row: dict[str, Any], name: str, example: Example) -> None:
    accepted = (*TRAINING, "prompts") if name.endswith("only") else TRAINING
    examples, reading = read(tmp_path, [row], accepted)
    assert examples == [example]
    assert reading.explanation == f"rows.jsonl: read as {name}, 1 row"


def test_csv_is_read_as_question_and_answers(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("question,content,rejected_response\nHi?,Hello 😊,Hello.\n")
    reading = Reading(path, TRAINING, Problems())
    assert list(reading) == [Example(2, [user("Hi?")], answer="Hello 😊", rejected="Hello.")]


def test_several_turns_and_a_system_prompt_are_kept(tmp_path: Path) -> None:
    turns = [system("Be kind."), user("a"), assistant("b"), user("c")]
    examples, _ = read(tmp_path, [{"messages": [*turns, assistant("d")], "rejected_response": "e"}])
    assert examples[0].messages == turns
    assert examples[0].answer == "d"


def test_columns_can_be_renamed_and_characters_deleted(tmp_path: Path) -> None:
    row = {"question": "Sun\ufe0f?", "answer_zh": "☀\ufe0f", "answer_en": "sun", "images": ["ignored"]}
    columns = {"question": "question", "content": "answer_zh", "rejected_response": "answer_en"}
    examples, reading = read(tmp_path, [row], columns=columns, deleted="\ufe0f")
    assert examples == [Example(1, [user("Sun?")], answer="☀", rejected="sun")]
    assert reading.problems.total == 0


def with_messages(*turns: Any) -> dict[str, Any]:
    return GOOD | {"messages": list(turns)}


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        ({"messages": GOOD["messages"]}, "missing field", "no rejected_response"),
        (GOOD | {"rejected_response": None}, "missing field", "rejected_response is null"),
        (GOOD | {"rejected_response": " \n"}, "empty text", "rejected_response is empty"),
        (GOOD | {"rejected_response": 3}, "wrong type", "rejected_response is 3, not text"),
        (GOOD | {"rejected_response": "Hello 😊 "}, "equal answers", "chosen and rejected are both"),
        (GOOD | {"messages": None}, "missing field", "messages is null"),
        (GOOD | {"messages": "Hi?"}, "wrong type", "not a list of turns"),
        (GOOD | {"messages": []}, "wrong turns", "messages has no user turn"),
        (with_messages(user("Hi?"), "Hello"), "wrong type", "messages[1] is 'Hello', not a turn"),
        (with_messages(user("Hi?"), {"role": "assistant"}), "missing field", "messages[1] has no content"),
        (with_messages(user("Hi?"), assistant("")), "empty text", "messages[1].content is empty"),
        (with_messages(user("Hi?"), assistant(None)), "missing field", "messages[1].content is null"),
        (with_messages(user("Hi?")), "wrong turns", "the last turn of messages is not the assistant's"),
        (
            with_messages(user("a"), user("b"), assistant("c")),
            "wrong turns",
            "messages[1] is the user's where assistant",
        ),
        (with_messages(assistant("a")), "wrong turns", "messages[0] is the assistant's"),
        (
            with_messages(system("a"), system("b"), user("c"), assistant("d")),
            "wrong turns",
            "messages[1] is the system's",
        ),
        (
            with_messages(user("a"), assistant("b"), system("c")),
            "wrong turns",
            "messages[2] is the system's",
        ),
        (with_messages({"role": "human", "content": "a"}, assistant("b")), "wrong turns", "the role 'human'"),
        (with_messages(user("a"), {"role": "tool", "content": "b"}), "not supported", "the role 'tool'"),
        (with_messages(user([{"type": "text"}]), assistant("b")), "not supported", "a list of parts"),
        (
            with_messages(user("a"), assistant("b") | {"tool_calls": [1]}),
            "not supported",
            "tool_calls is set",
        ),
        (GOOD | {"images": ["x.png"]}, "not supported", "images is set"),
        (GOOD | {"tools": [{}]}, "not supported", "tools is set"),
        (with_messages(system("x<|im_end|>"), user("a"), assistant("b")), "special token", "<|im_end|>"),
        (
            GOOD | {"rejected_response": "a<|eot_id|>"},
            "special token",
            "rejected_response contains <|eot_id|>",
        ),
    ],
)
def test_a_faulty_pair_is_a_problem_of_its_kind(tmp_path: Path, row: dict[str, Any], kind: str, words: str) -> None:
    examples, reading = read(tmp_path, [GOOD, row, GOOD])
    assert [example.line for example in examples] == [1, 3]
    assert reading.problems.counts == {kind: 1}
    (place,) = reading.problems.places[kind]
    assert "rows.jsonl:2: " in place
    assert words in place


@pytest.mark.parametrize("label", ["false", 0, 1, None, "True"])
def test_a_label_is_a_boolean(tmp_path: Path, label: object) -> None:
    _, reading = read(tmp_path, [GOOD_LABEL, GOOD_LABEL | {"label": False}, GOOD_LABEL | {"label": label}])
    assert reading.problems.counts == {"wrong label": 1}
    assert f"label is {label!r}, not true or false" in reading.problems.places["wrong label"][0]


def test_labels_of_one_kind_are_refused(tmp_path: Path) -> None:
    _, reading = read(tmp_path, [GOOD_LABEL, GOOD_LABEL])
    assert reading.problems.counts == {"one label only": 1}
    assert "all 2 labels are true" in reading.problems.places["one label only"][0]


def test_rejected_dialogue_must_share_the_prompt(tmp_path: Path) -> None:
    row = {"messages": GOOD["messages"], "rejected_messages": [user("Other?"), assistant("Hello.")]}
    _, reading = read(tmp_path, [row])
    assert reading.problems.counts == {"wrong turns": 1}


def test_a_prompt_ends_with_the_user(tmp_path: Path) -> None:
    _, reading = read(tmp_path, [{"messages": [user("a"), assistant("b")]}], ("prompts",))
    assert reading.problems.counts == {"wrong turns": 1}


def test_a_faulty_first_row_does_not_hide_the_format(tmp_path: Path) -> None:
    examples, reading = read(tmp_path, [{"messages": GOOD["messages"]}, GOOD])
    assert len(examples) == 1
    assert reading.problems.counts == {"missing field": 1}


def test_columns_of_no_known_format_are_explained(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"rows.jsonl:1: the columns \(chosen, prompt\) fit no") as caught:
        read(tmp_path, [{"prompt": "a", "chosen": "b"}])
    assert "messages + rejected_response" in caught.value.remedy


def test_a_row_cannot_be_pair_and_labelled(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="has a label and a rejected answer"):
        read(tmp_path, [GOOD | GOOD_LABEL])


def test_unused_columns_and_empty_media_are_accepted(tmp_path: Path) -> None:
    examples, reading = read(tmp_path, [GOOD | {"id": 7, "images": [], "tools": None}])
    assert len(examples) == 1
    assert reading.problems.total == 0
