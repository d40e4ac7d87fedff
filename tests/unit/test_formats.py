"""The shapes rows come in: detected, explained, and every row checked."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from prefsweep.adaptation import Ratings
from prefsweep.detection import known_formats
from prefsweep.examples import Reading, Treatment
from prefsweep.failures import StageError
from prefsweep.formats import Content, Example
from prefsweep.rows import Problems
from prefsweep.shapes.scored import Scored

ROOT = Path(__file__).resolve().parents[2]

TRAINING: tuple[Content, ...] = ("pairs", "labelled")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


GOOD = {"messages": [user("Hi?"), assistant("Hello 😊")], "rejected_response": "Hello."}
GOOD_LABEL = {"messages": [user("Hi?"), assistant("Hello 😊")], "label": True}


TRL_ANSWERS = {"chosen": [assistant("Hello 😊")], "rejected": [assistant("Hello.")]}
CONVERSATIONAL = TRL_ANSWERS | {"prompt": [user("a")]}
SHAREGPT = {
    "conversations": [{"from": "human", "value": "Hi?"}],
    "chosen": {"from": "gpt", "value": "Hello 😊"},
    "rejected": {"from": "gpt", "value": "Hello."},
}
INSTRUCTION = {"instruction": "Hi?", "chosen": "Hello 😊", "rejected": "Hello."}
HH = {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "\n\nHuman: a\n\nAssistant: c"}


def read(
    folder: Path, rows: list[dict[str, Any]], accepted: tuple[Content, ...] = TRAINING, **options: Any
) -> tuple[list[Example], Reading]:
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reading = Reading(path, accepted, Problems(), Treatment(**options))
    return list(reading), reading


def documented() -> list[tuple[str, dict[str, Any]]]:
    """Format and row of every example in docs/formats.md."""
    text = (ROOT / "docs" / "formats.md").read_text()
    return [(name, json.loads(row)) for name, row in re.findall(r"^\| ([^|]+) \| `(\{.*\})` \|$", text, re.MULTILINE)]


@pytest.mark.parametrize(("name", "row"), documented())
def test_each_documented_format_is_detected_and_read(tmp_path: Path, name: str, row: dict[str, Any]) -> None:
    _, reading = read(tmp_path, [row], (*TRAINING, "prompts"))
    assert reading.format is not None
    assert reading.name.startswith(name)
    said = {
        "pairs": Example(1, [user("Hi?")], answer="Hello 😊", rejected="Hello."),
        "labelled": Example(1, [user("Hi?")], answer="Hello 😊", desirable=True),
        "prompts": Example(1, [user("Hi?")]),
    }
    examples, reading = read(tmp_path, [row], (reading.format.content,))
    assert examples == [said[reading.format.content]]  # type: ignore[union-attr]
    assert reading.explanation == f"rows.jsonl: read as {reading.name}, 1 row"


def test_every_format_is_documented() -> None:
    documented_names = {name for name, _ in documented()}
    assert {form.name.partition(",")[0] for form in known_formats(Scored())} == {
        name.partition(",")[0] for name in documented_names
    }


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
    examples, reading = read(tmp_path, [row], columns=columns, delete="\ufe0f")
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


@pytest.mark.parametrize(
    ("row", "words", "remedy"),
    [
        (
            {"input": "a", "chosen": "b", "rejected": "c"},
            "the columns (chosen, input, rejected) fit no known format; the nearest is TRL standard: "
            "prompt (text), chosen (text), rejected (text); here prompt is missing",
            "Name them under `columns` in the dataset file, such as columns: {prompt: …, chosen: …, rejected: …}",
        ),
        (
            {"prompt": "a", "chosen": {"role": "assistant", "content": "b"}, "rejected": "c"},
            "the nearest is TRL standard: prompt (text), chosen (text), rejected (text); here chosen looks like a turn",
            "columns: {prompt: …",
        ),
        (
            {"prompt": "a", "good": "b", "bad": "c"},
            "the nearest is TRL standard: prompt (text), chosen (text), rejected (text); "
            "here chosen is missing and rejected is missing",
            "columns: {prompt: …, chosen: …, rejected: …}",
        ),
        ({"question": "a", "reply": "b", "thumbs_up": True}, "the nearest is TRL labelled: prompt (text)", "label: …}"),
        ({"prompt": "a", "answers": [{"response": "b"}]}, "the nearest is scored completions", "completions: …}"),
        (
            {"messages": [user("Hi?"), assistant("Hello.")], "score": 3},
            "here rejected_response is missing",
            "docs/formats.md",
        ),
        (
            GOOD | GOOD_LABEL,
            "the columns (label, messages, rejected_response) fit 2 formats\n"
            "  ms-swift messages + rejected_response: messages (turns), rejected_response (text)\n"
            "  ms-swift messages + label: messages (turns), label",
            "Name only those of one under `columns` in the dataset file, such as columns: {messages: …",
        ),
        (
            {"prompt": "a", "instruction": "a", "chosen": "b", "rejected": "c"},
            "fit 2 formats\n  TRL standard: prompt (text), chosen (text), rejected (text)\n  Alpaca pairs: ",
            "columns: {prompt: …",
        ),
    ],
)
def test_what_fits_no_format_or_two_is_explained(tmp_path: Path, row: dict[str, Any], words: str, remedy: str) -> None:
    with pytest.raises(StageError) as caught:
        read(tmp_path, [row])
    assert "rows.jsonl:1: " in str(caught.value)
    assert words in str(caught.value)
    assert remedy in caught.value.remedy


def test_columns_choose_between_two_formats(tmp_path: Path) -> None:
    row = {"prompt": "a", "instruction": "b", "chosen": "c", "rejected": "d"}
    for names, chosen in ((("prompt",), "TRL standard"), (("instruction",), "Alpaca pairs")):
        columns = {name: name for name in (*names, "chosen", "rejected")}
        assert read(tmp_path, [row], columns=columns)[1].name == chosen


def test_null_values_decide_nothing_and_are_problems_of_their_rows(tmp_path: Path) -> None:
    rows = [{"prompt": None, "chosen": None, "rejected": None}, {"prompt": [user("a")]} | TRL_ANSWERS]
    _, reading = read(tmp_path, rows)
    assert reading.name == "TRL conversational"
    assert reading.problems.counts == {"missing field": 1}
    assert read(tmp_path, rows[:1])[1].name == "TRL standard"


def test_unused_columns_and_empty_media_are_accepted(tmp_path: Path) -> None:
    examples, reading = read(tmp_path, [GOOD | {"id": 7, "images": [], "tools": None}])
    assert len(examples) == 1
    assert reading.problems.total == 0


@pytest.mark.parametrize(
    ("first", "row", "kind", "words"),
    [
        (
            TRL_ANSWERS | {"prompt": [user("a")]},
            {"prompt": [user("a"), assistant("b")]},
            "wrong turns",
            "not the user's",
        ),
        (CONVERSATIONAL, {"chosen": []}, "wrong turns", "chosen has 0 turns"),
        (CONVERSATIONAL, {"chosen": [user("b")]}, "wrong turns", "chosen[0] is the user's"),
        (CONVERSATIONAL, {"chosen": "b"}, "wrong type", "chosen is not a list of turns"),
        (CONVERSATIONAL, {"chosen": None}, "missing field", "chosen is null"),
        (SHAREGPT, {"conversations": [{"from": "gpt", "value": "a"}]}, "wrong turns", "conversations[0] is the"),
        (SHAREGPT, {"conversations": [{"from": "bot", "value": "a"}]}, "wrong turns", "the role 'bot'"),
        (SHAREGPT, {"conversations": [{"from": "observation", "value": "a"}]}, "not supported", "'observation'"),
        (SHAREGPT, {"chosen": {"from": "human", "value": "b"}}, "wrong turns", "chosen is the user's"),
        (SHAREGPT, {"chosen": "b"}, "wrong type", "chosen is 'b', not a turn"),
        (SHAREGPT, {"system": "x<|im_end|>"}, "special token", "system contains"),
        (SHAREGPT, {"tools": "[{}]"}, "not supported", "tools is set"),
        (GOOD, {"messages": [system("a"), *GOOD["messages"]], "system": "b"}, "wrong turns", "another as the first"),
        (INSTRUCTION, {"input": 3}, "wrong type", "input is 3"),
        (INSTRUCTION, {"history": [["a"]]}, "wrong type", "history[0] is not a question"),
        (HH, {"chosen": "a"}, "wrong turns", "chosen does not begin with “Human:”"),
        (HH, {"chosen": "x\n\nHuman: a\n\nAssistant: b"}, "wrong turns", "chosen does not begin with “Human:”"),
        (HH, {"chosen": "\n\nHuman: a\n\nAssistant:"}, "empty text", "chosen[1] is empty"),
        (HH, {"chosen": "\n\nHuman: a\n\nHuman: b"}, "wrong turns", "chosen[1] is the user's where"),
        (HH, {"chosen": "\n\nHuman: x\n\nAssistant: b"}, "wrong turns", "differ before the last turn"),
    ],
)
def test_a_row_that_does_not_fit_its_files_format_is_a_problem(
    tmp_path: Path, first: dict[str, Any], row: dict[str, Any], kind: str, words: str
) -> None:
    examples, reading = read(tmp_path, [first, first | row])
    assert len(examples) == 1
    assert reading.problems.counts == {kind: 1}
    assert words in reading.problems.places[kind][0]


def test_a_system_prompt_may_have_a_column_of_its_own(tmp_path: Path) -> None:
    for row in (GOOD, SHAREGPT, INSTRUCTION, {"question": "Hi?", "content": "Hello 😊", "rejected_response": "Hello."}):
        examples, _ = read(tmp_path, [row | {"system": "Be kind."}, row | {"system": ""}, row | {"system": None}])
        assert [len(example.messages) for example in examples] == [2, 1, 1]
        assert examples[0].messages == [system("Be kind."), user("Hi?")]


def test_instructions_keep_input_and_history(tmp_path: Path) -> None:
    (example,), _ = read(tmp_path, [INSTRUCTION | {"input": "Say it.", "history": [["Yes?", "No."]]}])
    assert example.messages == [user("Yes?"), assistant("No."), user("Hi?\nSay it.")]


def test_transcripts_keep_their_turns(tmp_path: Path) -> None:
    start = "\n\nHuman: one\n\nstill one\n\nAssistant: two\n\nHuman: three"
    rows = [{name: f"{start}\n\nAssistant: {name}" for name in ("chosen", "rejected")}]
    (example,), _ = read(tmp_path, rows)
    assert example.messages == [user("one\n\nstill one"), assistant("two"), user("three")]
    assert (example.answer, example.rejected) == ("chosen", "rejected")
    (example,), _ = read(tmp_path, [{"prompt": f"{start}\n\nAssistant:", "chosen": "a", "rejected": "b"}])
    assert example.messages[-1] == user("three")


def scored(*scores: Any) -> dict[str, Any]:
    completions = [{"response": f"answer {index}", "overall_score": score} for index, score in enumerate(scores)]
    return {"instruction": "Hi?", "completions": completions}


def test_the_best_completion_is_paired_with_the_worst_or_any_lower_one(tmp_path: Path) -> None:
    rows = [scored(5, 8.5, 1, 8.5, "N/A", None, 1)]
    (example,), reading = read(tmp_path, rows)
    assert (example.answer, example.rejected) == ("answer 1", "answer 2")
    assert reading.name == "scored completions, best against worst by overall_score"
    drawn = set()
    for number in range(40):
        rows = [scored(5, 8.5, 1, 8.5, "N/A", None, 1) | {"instruction": f"Hi {number}?"}]
        (example,), reading = read(tmp_path, rows, scored=Scored(rejected="random"))
        assert example == read(tmp_path, rows, scored=Scored(rejected="random"))[0][0]
        drawn.add((example.answer, example.rejected))
    assert drawn == {("answer 1", f"answer {index}") for index in (0, 2, 6)}
    assert reading.name == "scored completions, best against random by overall_score"


@pytest.mark.parametrize(
    ("row", "kind", "words"),
    [
        (scored(5), "unscored", "1 of 1 completions have a number as overall_score"),
        (scored(5, True, "9"), "unscored", "1 of 3 completions"),
        (scored(5, 5, None), "tied scores", "all 2 scored completions have overall_score 5"),
        (scored(1, 2) | {"completions": "x"}, "wrong type", "completions is 'x', not a list of objects"),
        (scored(1, 2) | {"completions": [{"overall_score": 1}, {"overall_score": 2}]}, "missing field", "response"),
    ],
)
def test_completions_that_give_no_pair_are_problems(tmp_path: Path, row: dict[str, Any], kind: str, words: str) -> None:
    examples, reading = read(tmp_path, [scored(1, 2), row])
    assert len(examples) == 1
    assert reading.problems.counts == {kind: 1}
    assert words in reading.problems.places[kind][0]


RATED = {"prompt": "Hi?", "completion": "Hello 😊"}


def test_ratings_become_labels_and_those_between_are_dropped_and_counted(tmp_path: Path) -> None:
    rows = [RATED | {"how": {"kind": rating}} for rating in (8, 7.9, 3, 3.5, "9", 1)]
    ratings = Ratings(column="how.kind", desirable_from=8, undesirable_to=3)
    examples, reading = read(tmp_path, rows, ratings=ratings)
    assert [(example.line, example.desirable) for example in examples] == [(1, True), (3, False), (5, True), (6, False)]
    assert reading.dropped == {"rated between": 2}
    assert reading.name == "TRL labelled, how.kind from 8 is desirable, to 3 undesirable"
    assert reading.problems.total == 0


@pytest.mark.parametrize(
    ("rating", "kind"), [(None, "missing field"), ("good", "wrong type"), (True, "wrong type"), ("nan", "wrong type")]
)
def test_a_rating_is_a_number(tmp_path: Path, rating: Any, kind: str) -> None:
    rows = [RATED | {"stars": stars} for stars in (rating, 5, 1)]
    _, reading = read(tmp_path, rows, ratings=Ratings(column="stars", desirable_from=4, undesirable_to=2))
    assert reading.problems.counts == {kind: 1}


def test_thresholds_must_be_apart() -> None:
    with pytest.raises(ValueError, match="must be below `desirable_from`"):
        Ratings(column="stars", desirable_from=3, undesirable_to=3)


def test_policies_drop_and_count(tmp_path: Path) -> None:
    rows = [GOOD, GOOD | {"rejected_response": "Hello 😊"}, GOOD | {"rejected_response": ""}]
    examples, reading = read(tmp_path, rows, dropped=frozenset({"equal_answers"}))
    assert len(examples) == 1
    assert reading.dropped == {"equal answers": 1}
    assert reading.problems.counts == {"empty text": 1}
    assert reading.rows == 3


def test_labels_in_csv_are_the_words(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("prompt,completion,label\na,b,true\nc,d,False\ne,f,1\n")
    reading = Reading(path, TRAINING, Problems())
    assert [example.desirable for example in reading] == [True, False]
    assert reading.problems.counts == {"wrong label": 1}
    assert reading.name == "TRL labelled (CSV)"


def test_nested_columns_are_named_with_dots(tmp_path: Path) -> None:
    row = {"ask": {"text": "Hi?"}, "a.b": "Hello 😊", "answers": {"bad": "Hello."}}
    columns = {"prompt": "ask.text", "chosen": "a.b", "rejected": "answers.bad"}
    examples, reading = read(tmp_path, [row, row | {"answers": {}}], columns=columns)
    assert examples == [Example(1, [user("Hi?")], answer="Hello 😊", rejected="Hello.")]
    assert reading.problems.counts == {"missing field": 1}


@pytest.mark.parametrize(
    ("messages", "kind", "words"),
    [
        ([[{"text": "a"}]], "wrong turns", "nobody answers"),
        ([[{"text": "a", "sender": 1}, {"text": "a", "sender": 2}], [{"text": "b"}]], "wrong turns", "two senders"),
        ([[{"text": "a"}], ["b"]], "wrong type", "messages[1] is ['b'], not a list of texts"),
        ([[{"text": "a"}], [{"text": ""}]], "empty text", "messages[1][0].text is empty"),
        ("a", "wrong type", "messages is 'a', not a list of lists"),
    ],
)
def test_chats_of_two_speakers_end_with_the_second(tmp_path: Path, messages: Any, kind: str, words: str) -> None:
    good = [[{"text": "a"}, {"text": "b"}], [{"text": "c"}], [{"text": "d"}]]
    rows = [{"messages": good, "label": True}, {"messages": good[:2], "label": False}]
    examples, reading = read(tmp_path, [*rows, {"messages": messages, "label": True}])
    assert [(example.messages, example.answer) for example in examples] == [([user("a\nb")], "c")] * 2
    assert reading.problems.counts == {kind: 1}
    assert words in reading.problems.places[kind][0]
