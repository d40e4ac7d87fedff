"""ms-swift's rows, and the question and answers the original experiment's data had."""

from typing import Any

from prefsweep.chats import label, pair, pair_of_dialogues, prompt_and_answer, prompt_turns, text, turns, user
from prefsweep.formats import ANSWERS, ANY, TEXT, TURNS, Example, Format


def _response(line: int, row: dict[str, Any]) -> Example:
    messages, answer = prompt_and_answer(row["messages"], "messages")
    return pair(line, messages, answer, text(row["rejected_response"], "rejected_response"))


def _dialogues(line: int, row: dict[str, Any]) -> Example:
    names = ("messages", "rejected_messages")
    return pair_of_dialogues(line, turns(row[names[0]], names[0]), turns(row[names[1]], names[1]), names)


def _question(line: int, row: dict[str, Any]) -> Example:
    messages = user(row["question"], "question")
    return pair(line, messages, text(row["content"], "content"), text(row["rejected_response"], "rejected_response"))


def _labelled(line: int, row: dict[str, Any]) -> Example:
    messages, answer = prompt_and_answer(row["messages"], "messages")
    return Example(line, messages, answer, desirable=label(row, "label"))


def _prompt(line: int, row: dict[str, Any]) -> Example:
    return Example(line, prompt_turns(row["messages"], "messages"))


FORMATS = (
    Format("ms-swift messages + rejected_response", "pairs", {"messages": TURNS, "rejected_response": TEXT}, _response),
    Format(
        "ms-swift messages + rejected_messages", "pairs", {"messages": TURNS, "rejected_messages": TURNS}, _dialogues
    ),
    Format(
        "question, content, rejected_response",
        "pairs",
        {"question": TEXT, "content": TEXT, "rejected_response": TEXT},
        _question,
    ),
    Format("ms-swift messages + label", "labelled", {"messages": TURNS, "label": ANY}, _labelled),
    Format("messages, prompts only", "prompts", {"messages": TURNS}, _prompt, ANSWERS),
)
