"""Chats of two people as `messages`, each a list of one speaker's texts: the first speaker is taken for the user.

What follows the last text of the second speaker is left out; that text is the answer a label is about.
"""

from typing import Any

from prefsweep.chats import ended, label, shortened, text
from prefsweep.formats import ANY, SPEECHES, Example, Format, Turn
from prefsweep.rows import RowProblem


def _labelled(line: int, row: dict[str, Any]) -> Example:
    speeches = row["messages"]
    if not isinstance(speeches, list):
        raise RowProblem("wrong type", f"messages is {shortened(speeches)}, not a list of lists")
    if len(speeches) < 2:
        raise RowProblem("wrong turns", f"messages has {len(speeches)} turns: nobody answers")
    dialogue: list[Turn] = []
    for index, speech in enumerate(speeches[: len(speeches) // 2 * 2]):
        role = "assistant" if index % 2 else "user"
        dialogue.append({"role": role, "content": _joined(speech, f"messages[{index}]")})
    messages, answer = ended(dialogue, "messages")
    return Example(line, messages, answer, desirable=label(row, "label"))


def _joined(speech: Any, name: str) -> str:
    if not isinstance(speech, list) or not all(isinstance(part, dict) and "text" in part for part in speech):
        raise RowProblem("wrong type", f"{name} is {shortened(speech)}, not a list of texts")
    if len({part.get("sender") for part in speech}) > 1:
        raise RowProblem("wrong turns", f"{name} has two senders")
    return "\n".join(text(part["text"], f"{name}[{index}].text") for index, part in enumerate(speech))


FORMATS = (Format("two speakers + label", "labelled", {"messages": SPEECHES, "label": ANY}, _labelled),)
