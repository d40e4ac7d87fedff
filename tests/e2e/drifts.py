"""How far models are from one another, by scripts/prefsweep/divergence.py; what it finds goes to stdout.

Run in the trainer's environment: `python drifts.py MODEL OTHER`, two models of one tokenizer.
"""

import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from prefsweep.answer_tokens import AnswerTokens
from prefsweep.failures import StageError

MARK = "DRIFT "
END_IDS = [2, 0]
HALF, QUARTER, TENTH = math.log(1 / 2), math.log(1 / 4), math.log(1 / 10)
OURS = [[0.0, 0.0, 0.0], [HALF, QUARTER, QUARTER], [TENTH, math.log(7 / 10), math.log(2 / 10)]]
THEIRS = [[9.0, 0.0, 0.0], [QUARTER, HALF, QUARTER], [math.log(2 / 10), math.log(4 / 10), math.log(4 / 10)]]
"""Of three tokens, after each of three: the first one is of the prompt and does not count."""


@dataclass
class Scripted:
    """A model that gives the same log-probabilities whatever the tokens are, and counts those it is given."""

    rows: list[list[float]]
    device: str = "cpu"

    def __call__(self, new: Any, past_key_values: int | None, use_cache: bool, logits_to_keep: int) -> Any:
        import torch

        read = (past_key_values or 0) + new.shape[1]
        rows = torch.tensor(self.rows[read - logits_to_keep : read])
        return SimpleNamespace(logits=rows[None] + 3.0, past_key_values=read)  # logits are known up to a constant


def main(model_folder: Path, other_folder: Path) -> None:
    from transformers import AutoTokenizer

    from prefsweep.divergence import answer_drift, load_model

    def told(case: str, ours: Any, theirs: Any, answer: AnswerTokens, piece: int = 128) -> None:
        try:
            found: dict[str, Any] = answer_drift(ours, theirs, answer, END_IDS, piece).model_dump()
        except StageError as error:
            found = {"failure": error.failure, "message": str(error)}
        print(f"\n{MARK}{json.dumps({'case': case} | found)}", flush=True)

    scripted = AnswerTokens("by hand", prompt_ids=[1, 1], answer_ids=[0], ended=True)
    told("by hand", Scripted(OURS), Scripted(THEIRS), scripted)
    told("by hand, token by token", Scripted(OURS), Scripted(THEIRS), scripted, piece=1)
    cut = AnswerTokens("cut", prompt_ids=[1, 1], answer_ids=[0], ended=False)
    told("cut off", Scripted(OURS), Scripted(THEIRS), cut)
    told("nothing", Scripted(OURS), Scripted(THEIRS), AnswerTokens("nothing", [1, 1], [], ended=False))
    told("not a number", Scripted([*OURS[:2], [math.nan] * 3]), Scripted(THEIRS), scripted)

    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    ids = [tokenizer.encode(text) for text in ("What is the capital of France?", "Paris 🎉 is the capital. " * 12)]
    answer = AnswerTokens("real", *ids, ended=True)
    model, other = load_model(model_folder), load_model(other_folder)
    told("itself", model, load_model(model_folder), answer)
    told("another", model, other, answer)
    told("another in pieces", model, other, answer, piece=7)
    told("the other way round", other, model, answer)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
