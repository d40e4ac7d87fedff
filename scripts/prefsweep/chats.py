"""Chats as every format needs them: turns checked, texts checked, answers told apart.

All functions raise RowProblem, which names the place in the row and what is wrong with it.
"""

import re
from collections.abc import Mapping
from typing import Any

from prefsweep.formats import Example, Turn
from prefsweep.rows import RowProblem

TEMPLATE_TOKEN = re.compile(r"<\|[^\s|<>]{1,64}\|>")
"""What special tokens look like in the chat templates in use: `<|im_end|>`, `<|eot_id|>`, `<|endoftext|>`."""

_REFUSED = ("tools", "images", "videos", "audios", "objects", "tool_calls")
_TOOL_ROLES = ("tool", "tool_call", "tool_response", "function", "function_call", "observation")
ROLES = {"system": "system", "user": "user", "assistant": "assistant"}
_IN_TURN = ["user", "assistant"] * 8
"""How most dialogues go; longer ones are looked at turn by turn."""
SHAREGPT_ROLES = ROLES | {"human": "user", "gpt": "assistant"}


def text(value: Any, name: str) -> str:
    """A text that is not empty and forges no turn."""
    if value is None:
        raise RowProblem("missing field", f"{name} is null")
    if not isinstance(value, str):
        raise RowProblem("wrong type", f"{name} is {shortened(value)}, not text")
    if not value or value.isspace():
        raise RowProblem("empty text", f"{name} is empty")
    if "<" in value:  # a single character is found much faster than two
        refuse_special_tokens(value, name)
    return value


def refuse_special_tokens(value: str, name: str) -> None:
    """Refuse a text that contains what looks like a chat template's special token."""
    if "<|" in value and (found := TEMPLATE_TOKEN.search(value)):
        raise RowProblem("special token", f"{name} contains {found.group()}")


def refuse_unsupported(row: Mapping[str, Any], prefix: str = "") -> None:
    """Refuse a row or turn that carries what a text-only chat has not: tools, images, …"""
    for key in _REFUSED:
        if row.get(key):
            raise RowProblem("not supported", f"{prefix}{key} is set")


def turns(value: Any, name: str) -> list[Turn]:
    """A dialogue: an optional system turn, then user and assistant alternating, the user first.

    Turns have `role` and `content`, or ShareGPT's `from` and `value`.
    """
    if value is None:
        raise RowProblem("missing field", f"{name} is null")
    if not isinstance(value, list):
        raise RowProblem("wrong type", f"{name} is {shortened(value)}, not a list of turns")
    return alternating(
        [item if _is_plain(item) else turn(item, f"{name}[{index}]") for index, item in enumerate(value)], name
    )


def _is_plain(item: Any) -> bool:
    """Whether a turn is in our form and in order: most are, and a million rows have many."""
    if type(item) is not dict or len(item) != 2:
        return False
    role, content = item.get("role"), item.get("content")
    return (
        (role == "user" or role == "assistant" or role == "system")
        and type(content) is str
        and "<" not in content
        and not content.isspace()
        and content != ""
    )


def alternating(dialogue: list[Turn], name: str) -> list[Turn]:
    """The same turns, if their roles are in order."""
    roles = [item["role"] for item in dialogue]
    system = int(roles[:1] == ["system"])
    if roles[system:] == _IN_TURN[: len(roles) - system] != []:
        return dialogue
    for index in range(system, len(dialogue)):
        expected = "assistant" if (index - system) % 2 else "user"
        if roles[index] != expected:
            raise RowProblem("wrong turns", f"{name}[{index}] is the {roles[index]}'s where {expected} was expected")
    if len(dialogue) == system:
        raise RowProblem("wrong turns", f"{name} has no user turn")
    return dialogue


def turn(value: Any, name: str) -> Turn:
    """One turn in our form."""
    if not isinstance(value, dict):
        raise RowProblem("wrong type", f"{name} is {shortened(value)}, not a turn with role and content")
    sharegpt = "from" in value and "role" not in value
    role_key, content_key = ("from", "value") if sharegpt else ("role", "content")
    for key in (role_key, content_key):
        if key not in value:
            raise RowProblem("missing field", f"{name} has no {key}")
    if len(value) > 2:
        refuse_unsupported(value, f"{name}.")
    roles = SHAREGPT_ROLES if sharegpt else ROLES
    said, content = value[role_key], value[content_key]
    role = roles.get(said) if isinstance(said, str) else None
    if role is None:
        kind = "not supported" if said in _TOOL_ROLES else "wrong turns"
        raise RowProblem(kind, f"{name} has the role {shortened(said)}; {', '.join(roles)} are known")
    if isinstance(content, list):
        raise RowProblem("not supported", f"{name}.{content_key} is a list of parts, not text")
    return {"role": role, "content": text(content, f"{name}.{content_key}")}


def prompt_turns(value: Any, name: str) -> list[Turn]:
    """A dialogue that waits for an answer."""
    dialogue = turns(value, name)
    if dialogue[-1]["role"] != "user":
        raise RowProblem("wrong turns", f"the last turn of {name} is not the user's")
    return dialogue


def prompt_and_answer(value: Any, name: str) -> tuple[list[Turn], str]:
    """A dialogue that ends with an answer, taken apart."""
    return ended(turns(value, name), name)


def ended(dialogue: list[Turn], name: str) -> tuple[list[Turn], str]:
    """Checked turns before the last, and the answer that the last one is."""
    if dialogue[-1]["role"] != "assistant":
        raise RowProblem("wrong turns", f"the last turn of {name} is not the assistant's")
    return dialogue[:-1], dialogue[-1]["content"]


def user(value: Any, name: str) -> list[Turn]:
    """A prompt of one turn."""
    return [{"role": "user", "content": text(value, name)}]


def answer_turn(value: Any, name: str) -> str:
    """What one turn of the assistant says."""
    said = turn(value, name)
    if said["role"] != "assistant":
        raise RowProblem("wrong turns", f"{name} is the {said['role']}'s, not the assistant's")
    return said["content"]


def pair(line: int, messages: list[Turn], chosen: str, rejected: str) -> Example:
    """A pair of two different answers."""
    if chosen.strip() == rejected.strip():
        raise RowProblem("equal answers", f"chosen and rejected are both {shortened(chosen)}")
    return Example(line, messages, chosen, rejected)


def pair_of_dialogues(line: int, chosen: list[Turn], rejected: list[Turn], names: tuple[str, str]) -> Example:
    """A pair from two whole dialogues that may differ in their last turn only."""
    messages, answer = ended(chosen, names[0])
    others, other = ended(rejected, names[1])
    if messages != others:
        raise RowProblem("wrong turns", f"{names[0]} and {names[1]} differ before the last turn")
    return pair(line, messages, answer, other)


def label(row: Mapping[str, Any], name: str) -> bool:
    """Whether an answer is desirable: a JSON boolean, nothing that merely looks like one."""
    value = row[name]
    if not isinstance(value, bool):
        raise RowProblem("wrong label", f"{name} is {value!r}, not true or false")
    return value


def shortened(value: Any) -> str:
    """A value for an error, on one short line."""
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "…"
