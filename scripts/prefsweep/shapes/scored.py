"""UltraFeedback's form: an instruction with several scored completions, of which two become a pair."""

import zlib
from typing import Any, Literal, TypeGuard

from pydantic import BaseModel, ConfigDict, Field

from prefsweep.chats import pair, shortened, text, user
from prefsweep.formats import TEXT, TURNS, Example, Format
from prefsweep.rows import RowProblem

PROMPTS = ("instruction", "prompt")


class Scored(BaseModel):
    """How scored completions become a pair: `scored:` of a dataset file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field("response", min_length=1, description="The key of a completion's text.")
    score: str = Field("overall_score", min_length=1, description="The key of its score; higher is better.")
    rejected: Literal["worst", "random"] = Field(
        "worst", description="What the best is paired with: the worst, or any that scored lower, drawn by the prompt."
    )

    def formats(self) -> tuple[Format, ...]:
        """A format per heading of the prompt."""
        name = f"scored completions, best against {self.rejected} by {self.score}"
        return tuple(self._format(name, prompt) for prompt in PROMPTS)

    def _format(self, name: str, prompt: str) -> Format:
        def example(line: int, row: dict[str, Any]) -> Example:
            messages = user(row[prompt], prompt)
            best, other = self._two(row["completions"], messages[0]["content"])
            return pair(line, messages, best, other)

        return Format(name, "pairs", {prompt: TEXT, "completions": TURNS}, example)

    def _two(self, completions: Any, prompt: str) -> tuple[str, str]:
        if not isinstance(completions, list) or not all(isinstance(item, dict) for item in completions):
            raise RowProblem("wrong type", f"completions is {shortened(completions)}, not a list of objects")
        scored = [
            (index, item[self.score]) for index, item in enumerate(completions) if _is_score(item.get(self.score))
        ]
        if len(scored) < 2:
            what = f"{len(scored)} of {len(completions)} completions have a number as {self.score}"
            raise RowProblem("unscored", what)
        high, low = max(score for _, score in scored), min(score for _, score in scored)
        if high == low:
            raise RowProblem("tied scores", f"all {len(scored)} scored completions have {self.score} {high:g}")
        best = next(index for index, score in scored if score == high)
        lower = [index for index, score in scored if (score == low if self.rejected == "worst" else score < high)]
        other = lower[zlib.crc32(prompt.encode()) % len(lower)] if self.rejected == "random" else lower[0]
        return self._text(completions, best), self._text(completions, other)

    def _text(self, completions: list[dict[str, Any]], index: int) -> str:
        return text(completions[index].get(self.text), f"completions[{index}].{self.text}")


def _is_score(value: Any) -> TypeGuard[float]:
    """Whether a value is a number; true, false and NaN are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value
