"""Anthropic's HH form: whole dialogues as one text each, `\\n\\nHuman: … \\n\\nAssistant: …`."""

import re
from typing import Any

from prefsweep.chats import alternating, pair, pair_of_dialogues, text
from prefsweep.formats import TEXT, TRANSCRIPT, Example, Format, Turn
from prefsweep.rows import RowProblem

_SPEAKER = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def _dialogues(line: int, row: dict[str, Any]) -> Example:
    chosen, rejected = transcript(row["chosen"], "chosen"), transcript(row["rejected"], "rejected")
    return pair_of_dialogues(line, chosen, rejected, ("chosen", "rejected"))


def _answers(line: int, row: dict[str, Any]) -> Example:
    """The prompt alone is a transcript; it usually ends with the speaker who is to answer."""
    whole = text(row["prompt"], "prompt")
    if re.search(r"\n\nAssistant:\s*$", whole):
        whole = whole[: whole.rindex("\n\nAssistant:")]
    messages = transcript(whole, "prompt")
    if messages[-1]["role"] != "user":
        raise RowProblem("wrong turns", "the last turn of prompt is not the human's")
    return pair(line, messages, text(row["chosen"], "chosen"), text(row["rejected"], "rejected"))


def transcript(value: Any, name: str) -> list[Turn]:
    """The turns of a transcript, without the white space around each."""
    before, *parts = _SPEAKER.split(text(value, name))
    if before.strip() or not parts:
        raise RowProblem("wrong turns", f"{name} does not begin with “Human:”")
    spoken = zip(parts[::2], parts[1::2], strict=True)
    dialogue = [
        {"role": _ROLES[speaker], "content": text(said.strip(), f"{name}[{index}]")}
        for index, (speaker, said) in enumerate(spoken)
    ]
    return alternating(dialogue, name)


FORMATS = (
    Format("HH transcripts", "pairs", {"chosen": TRANSCRIPT, "rejected": TRANSCRIPT}, _dialogues),
    Format("HH transcript + answers", "pairs", {"prompt": TRANSCRIPT, "chosen": TEXT, "rejected": TEXT}, _answers),
)
