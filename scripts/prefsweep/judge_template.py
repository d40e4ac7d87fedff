"""The question a judge is asked, from a template that anyone may replace, and the verdict in its reply."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from prefsweep.records.judge import Choice

Form = Literal["json_schema", "text"]
"""How a verdict is asked for and read."""

RESPONSE_FORMAT: dict[str, Any] = {
    "type": "json_schema",
    "json_schema": {
        "name": "verdict",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"reasons": {"type": "string"}, "verdict": {"type": "string", "enum": ["A", "B", "tie"]}},
            "required": ["reasons", "verdict"],
            "additionalProperties": False,
        },
    },
}
"""Reasons come first: a verdict that is given before them is not one that follows from them."""

REMINDERS: dict[Form, str] = {
    "json_schema": 'Your last reply had no verdict. Reply with one JSON object: {"reasons": "...", "verdict": "A"}',
    "text": "Your last reply had no verdict. Its last line must be one of [[A]], [[B]] and [[tie]], and nothing else.",
}
_CHOICES: dict[str, Choice] = {"a": "first", "b": "second", "c": "tie", "tie": "tie"}
_LAST_LINE = re.compile(r"(?:verdict)?[\s:*]*\[\[(a|b|c|tie)\]\][\s.*]*", re.IGNORECASE)
_GIVEN = ("question", "first answer", "second answer")


@dataclass(frozen=True)
class JudgeTemplate:
    """A Jinja template of `conversation` (turns with `role` and `content`), `answer_a`, `answer_b` and `json`."""

    text: str
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "JudgeTemplate":
        """Read and try a template. Raises StageError of class `config` when it leaves out what is to be judged."""
        try:
            template = cls(path.read_text(encoding="utf-8"), sha256_of(path))
            question, first, second = (f"<the {name}>" for name in _GIVEN)
            rendered = template.render([{"role": "user", "content": question}], first, second, form="text")
        except (OSError, UnicodeDecodeError, TemplateError) as error:
            raise StageError("config", f"{path} cannot be used as a judge's template: {error}") from error
        if lacking := [name for name in _GIVEN if f"<the {name}>" not in rendered]:
            remedy = "It needs {{ conversation }}, {{ answer_a }} and {{ answer_b }} (docs/judge.md)."
            raise StageError("config", f"{path} does not show the judge the {lacking[0]}", remedy)
        return template

    def render(self, conversation: Sequence[Mapping[str, str]], first: str, second: str, form: Form) -> str:
        """The judge's question. What it says of the answers is text: no answer is read as part of the template."""
        values = {"conversation": conversation, "answer_a": first, "answer_b": second, "json": form == "json_schema"}
        return _environment().from_string(self.text).render(values).strip()


def choice_of(reply: str, form: Form) -> Choice | None:
    """Which answer a reply prefers; None if it does not say so in the form that was asked for."""
    if form == "text":
        lines = reply.strip().splitlines() or [""]
        found = _LAST_LINE.fullmatch(lines[-1].strip())
        return _CHOICES[found[1].lower()] if found else None
    try:
        verdict = json.loads(reply)["verdict"]
        return _CHOICES.get(verdict.lower())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _environment() -> SandboxedEnvironment:
    return SandboxedEnvironment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)
