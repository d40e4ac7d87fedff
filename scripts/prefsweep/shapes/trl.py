"""TRL's rows: standard (text) and conversational (lists of turns), the prompt explicit or what two dialogues share."""

from typing import Any

from prefsweep.chats import answer_turn, label, pair, pair_of_dialogues, prompt_turns, text, turns, user
from prefsweep.formats import ANSWERS, ANY, TEXT, TURNS, Example, Format
from prefsweep.rows import RowProblem


def _standard(line: int, row: dict[str, Any]) -> Example:
    prompt, chosen, rejected = (text(row[name], name) for name in ("prompt", "chosen", "rejected"))
    return pair(line, [{"role": "user", "content": prompt}], chosen, rejected)


def _conversational(line: int, row: dict[str, Any]) -> Example:
    messages = prompt_turns(row["prompt"], "prompt")
    return pair(line, messages, _only_answer(row, "chosen"), _only_answer(row, "rejected"))


def _implicit(line: int, row: dict[str, Any]) -> Example:
    chosen, rejected = turns(row["chosen"], "chosen"), turns(row["rejected"], "rejected")
    return pair_of_dialogues(line, chosen, rejected, ("chosen", "rejected"))


def _labelled_standard(line: int, row: dict[str, Any]) -> Example:
    answer = text(row["completion"], "completion")
    return Example(line, user(row["prompt"], "prompt"), answer, desirable=label(row, "label"))


def _labelled_conversational(line: int, row: dict[str, Any]) -> Example:
    answer = _only_answer(row, "completion")
    return Example(line, prompt_turns(row["prompt"], "prompt"), answer, desirable=label(row, "label"))


def _only_answer(row: dict[str, Any], name: str) -> str:
    value = row[name]
    if not isinstance(value, list):
        kind, what = ("missing field", "null") if value is None else ("wrong type", "not a list of turns")
        raise RowProblem(kind, f"{name} is {what}")
    if len(value) != 1:
        raise RowProblem("wrong turns", f"{name} has {len(value)} turns; an answer is one turn of the assistant")
    return answer_turn(value[0], f"{name}[0]")


def _text_prompt(line: int, row: dict[str, Any]) -> Example:
    return Example(line, user(row["prompt"], "prompt"))


def _turns_prompt(line: int, row: dict[str, Any]) -> Example:
    return Example(line, prompt_turns(row["prompt"], "prompt"))


_DIALOGUES = {"chosen": TURNS, "rejected": TURNS}

FORMATS = (
    Format("TRL standard", "pairs", {"prompt": TEXT, "chosen": TEXT, "rejected": TEXT}, _standard),
    Format("TRL conversational", "pairs", {"prompt": TURNS, "chosen": TURNS, "rejected": TURNS}, _conversational),
    Format("TRL implicit prompt", "pairs", _DIALOGUES, _implicit, frozenset({"prompt"})),
    # A prompt as text beside whole dialogues repeats what they hold: TRL, too, takes the turns they share.
    Format("TRL implicit prompt", "pairs", {"prompt": TEXT} | _DIALOGUES, _implicit),
    Format("TRL labelled", "labelled", {"prompt": TEXT, "completion": TEXT, "label": ANY}, _labelled_standard),
    Format(
        "TRL labelled conversational",
        "labelled",
        {"prompt": TURNS, "completion": TURNS, "label": ANY},
        _labelled_conversational,
    ),
    Format("TRL prompts only", "prompts", {"prompt": TEXT}, _text_prompt, ANSWERS),
    Format("TRL conversational prompts only", "prompts", {"prompt": TURNS}, _turns_prompt, ANSWERS),
)
