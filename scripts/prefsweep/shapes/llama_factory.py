"""LLaMA-Factory's rows: ShareGPT conversations with two answers or a `kto_tag`, and Alpaca instructions."""

from collections.abc import Callable
from typing import Any

from prefsweep.chats import answer_turn, label, pair, prompt_and_answer, prompt_turns, text
from prefsweep.formats import ANSWERS, ANY, TEXT, TURN, TURNS, Example, Format, Turn
from prefsweep.rows import RowProblem

LABELS = ("kto_tag", "label")
"""Headings of a label: LLaMA-Factory's, and the one that ratings become."""
OPTIONAL = ("input", "history")
"""Headings an instruction may have beside its own."""


def _conversation_pair(line: int, row: dict[str, Any]) -> Example:
    messages = prompt_turns(row["conversations"], "conversations")
    return pair(line, messages, answer_turn(row["chosen"], "chosen"), answer_turn(row["rejected"], "rejected"))


def _conversation_prompt(line: int, row: dict[str, Any]) -> Example:
    return Example(line, prompt_turns(row["conversations"], "conversations"))


def _instruction_pair(line: int, row: dict[str, Any]) -> Example:
    return pair(line, instruction(row), text(row["chosen"], "chosen"), text(row["rejected"], "rejected"))


def _instruction_prompt(line: int, row: dict[str, Any]) -> Example:
    return Example(line, instruction(row))


def _labelled_conversation(name: str) -> Callable[[int, dict[str, Any]], Example]:
    def example(line: int, row: dict[str, Any]) -> Example:
        messages, answer = prompt_and_answer(row["conversations"], "conversations")
        return Example(line, messages, answer, desirable=label(row, name))

    return example


def _labelled_instruction(name: str) -> Callable[[int, dict[str, Any]], Example]:
    def example(line: int, row: dict[str, Any]) -> Example:
        answer = text(row["output"], "output")
        return Example(line, instruction(row), answer, desirable=label(row, name))

    return example


def instruction(row: dict[str, Any]) -> list[Turn]:
    """Earlier rounds of `history`, then the instruction and, below it, its `input`."""
    messages: list[Turn] = []
    for index, said in enumerate(row.get("history") or []):
        if not isinstance(said, list) or len(said) != 2:
            raise RowProblem("wrong type", f"history[{index}] is not a question with its answer")
        for role, content in zip(("user", "assistant"), said, strict=True):
            messages.append({"role": role, "content": text(content, f"history[{index}]")})
    asked = text(row["instruction"], "instruction")
    if more := row.get("input"):
        asked = f"{asked}\n{text(more, 'input')}"
    return [*messages, {"role": "user", "content": asked}]


FORMATS = (
    Format("ShareGPT pairs", "pairs", {"conversations": TURNS, "chosen": TURN, "rejected": TURN}, _conversation_pair),
    Format("Alpaca pairs", "pairs", {"instruction": TEXT, "chosen": TEXT, "rejected": TEXT}, _instruction_pair),
    *(
        Format(f"ShareGPT + {name}", "labelled", {"conversations": TURNS, name: ANY}, _labelled_conversation(name))
        for name in LABELS
    ),
    *(
        Format(
            f"Alpaca + {name}",
            "labelled",
            {"instruction": TEXT, "output": TEXT, name: ANY},
            _labelled_instruction(name),
        )
        for name in LABELS
    ),
    Format("ShareGPT prompts only", "prompts", {"conversations": TURNS}, _conversation_prompt, ANSWERS),
    Format("Alpaca prompts only", "prompts", {"instruction": TEXT}, _instruction_prompt, ANSWERS),
)
