"""The shapes preference rows come in: each format names the columns it needs and turns a row into an example.

To add one, write a function from a row to an `Example` and list it in FORMATS; the first format whose columns
a row has is the file's format. A row that does not fit raises RowProblem, which names what is wrong.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from prefsweep.rows import RowProblem

Content = Literal["pairs", "labelled", "prompts"]
Turn = dict[str, str]
"""A chat turn: `role` (system, user, assistant) and `content`."""

TEMPLATE_TOKEN = re.compile(r"<\|[^\s|<>]{1,64}\|>")
"""What special tokens look like in the chat templates in use: `<|im_end|>`, `<|eot_id|>`, `<|endoftext|>`."""

_REFUSED = ("tools", "images", "videos", "audios", "objects", "tool_calls")


@dataclass(frozen=True, slots=True)
class Example:
    """A row's meaning: a prompt, with two answers for pairs, with one and its label for labelled rows."""

    line: int
    messages: list[Turn]
    answer: str | None = None
    rejected: str | None = None
    desirable: bool | None = None


@dataclass(frozen=True)
class Format:
    """One shape of rows."""

    name: str
    columns: frozenset[str]
    content: Content
    example: Callable[[int, dict[str, Any]], Example]


def _messages_pair(line: int, row: dict[str, Any]) -> Example:
    messages, answer = _prompt_and_answer(row["messages"])
    return _pair(line, messages, answer, _text(row["rejected_response"], "rejected_response"))


def _two_dialogues(line: int, row: dict[str, Any]) -> Example:
    messages, answer = _prompt_and_answer(row["messages"])
    rejected_messages, rejected = _prompt_and_answer(row["rejected_messages"], "rejected_messages")
    if rejected_messages != messages:
        raise RowProblem("wrong turns", "messages and rejected_messages differ before the last turn")
    return _pair(line, messages, answer, rejected)


def _question_pair(line: int, row: dict[str, Any]) -> Example:
    messages = [{"role": "user", "content": _text(row["question"], "question")}]
    return _pair(line, messages, _text(row["content"], "content"), _text(row["rejected_response"], "rejected_response"))


def _labelled(line: int, row: dict[str, Any]) -> Example:
    messages, answer = _prompt_and_answer(row["messages"])
    label = row["label"]
    if not isinstance(label, bool):
        raise RowProblem("wrong label", f"label is {label!r}, not true or false")
    return Example(line, messages, answer=answer, desirable=label)


def _prompt(line: int, row: dict[str, Any]) -> Example:
    messages = _turns(row["messages"], "messages")
    if messages[-1]["role"] != "user":
        raise RowProblem("wrong turns", "the last turn of messages is not the user's")
    return Example(line, messages)


FORMATS = (
    Format(
        "ms-swift messages + rejected_response",
        frozenset({"messages", "rejected_response"}),
        "pairs",
        _messages_pair,
    ),
    Format(
        "ms-swift messages + rejected_messages",
        frozenset({"messages", "rejected_messages"}),
        "pairs",
        _two_dialogues,
    ),
    Format(
        "question, content, rejected_response",
        frozenset({"question", "content", "rejected_response"}),
        "pairs",
        _question_pair,
    ),
    Format("ms-swift messages + label", frozenset({"messages", "label"}), "labelled", _labelled),
    Format("messages, prompts only", frozenset({"messages"}), "prompts", _prompt),
)


def _pair(line: int, messages: list[Turn], chosen: str, rejected: str) -> Example:
    if chosen.strip() == rejected.strip():
        raise RowProblem("equal answers", f"chosen and rejected are both {_shortened(chosen)}")
    return Example(line, messages, answer=chosen, rejected=rejected)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        if value is None:
            raise RowProblem("missing field", f"{name} is null")
        raise RowProblem("wrong type", f"{name} is {_shortened(value)}, not text")
    if not value or value.isspace():
        raise RowProblem("empty text", f"{name} is empty")
    refuse_special_tokens(value, name)
    return value


def refuse_special_tokens(text: str, name: str) -> None:
    """Raise RowProblem when a text contains what looks like a chat template's special token."""
    if "<|" in text and (found := TEMPLATE_TOKEN.search(text)):
        raise RowProblem("special token", f"{name} contains {found.group()}")


def _prompt_and_answer(value: Any, name: str = "messages") -> tuple[list[Turn], str]:
    turns = _turns(value, name)
    if turns[-1]["role"] != "assistant":
        raise RowProblem("wrong turns", f"the last turn of {name} is not the assistant's")
    return turns[:-1], turns[-1]["content"]


def _turns(value: Any, name: str) -> list[Turn]:
    """Check a dialogue: an optional system turn, then user and assistant alternating, the user first."""
    if value is None:
        raise RowProblem("missing field", f"{name} is null")
    if not isinstance(value, list):
        raise RowProblem("wrong type", f"{name} is {_shortened(value)}, not a list of turns")
    turns = [_turn(turn, f"{name}[{index}]") for index, turn in enumerate(value)]
    dialogue = turns[1:] if turns and turns[0]["role"] == "system" else turns
    for index, turn in enumerate(dialogue):
        expected = "assistant" if index % 2 else "user"
        if turn["role"] != expected:
            place = f"{name}[{index + len(turns) - len(dialogue)}]"
            raise RowProblem("wrong turns", f"{place} is the {turn['role']}'s where {expected} was expected")
    if not dialogue:
        raise RowProblem("wrong turns", f"{name} has no user turn")
    return turns


def _turn(value: Any, name: str) -> Turn:
    if not isinstance(value, dict):
        raise RowProblem("wrong type", f"{name} is {_shortened(value)}, not a turn with role and content")
    for key in ("role", "content"):
        if key not in value:
            raise RowProblem("missing field", f"{name} has no {key}")
    if len(value) > 2:
        refuse_unsupported(value, f"{name}.")
    role, content = value["role"], value["content"]
    if role not in ("system", "user", "assistant"):
        kind = "not supported" if role in ("tool", "tool_call", "tool_response", "function") else "wrong turns"
        raise RowProblem(kind, f"{name} has the role {_shortened(role)}; system, user and assistant are known")
    if isinstance(content, list):
        raise RowProblem("not supported", f"{name}.content is a list of parts, not text")
    return {"role": role, "content": _text(content, f"{name}.content")}


def refuse_unsupported(row: dict[str, Any], prefix: str = "") -> None:
    """Raise RowProblem when a row or turn carries what a text-only chat has not: tools, images, …"""
    for key in _REFUSED:
        if row.get(key):
            raise RowProblem("not supported", f"{prefix}{key} is set")


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
