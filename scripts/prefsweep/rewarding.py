"""Conversations scored by a reward model that vLLM serves: rendered by its own template, read before any activation."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from prefsweep.failures import StageError
from prefsweep.provenance import installed_versions
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.reward import RewardedAnswer, RewardedRun
from prefsweep.serving import Server

CLASSIFY = ("--runner", "pooling")
"""vLLM's arguments for a model that is not asked to write."""
_AT_A_TIME = 32
"""Conversations of one request, which the server scores together."""
_REQUEST_TIMEOUT_SECONDS = 1800.0


@dataclass(frozen=True)
class Conversation:
    """A prompt and an answer to it, in the reward model's tokens."""

    prompt: str
    token_ids: tuple[int, ...]


@dataclass(frozen=True)
class Reader:
    """How a reward model reads: its tokenizer (of transformers), and what its configuration says."""

    tokenizer: Any
    pad_token_id: int | None
    most_tokens: int
    """Of a conversation that it can read."""

    def conversation(self, prompt: HeldOutPrompt, answer: str) -> Conversation:
        """Render an answer in its place. Raises StageError (`model`) where the template refuses the prompt.

        The score is read at the last token that is no padding, as in transformers: vLLM takes the last token whatever
        it is, so that padding is taken off here (a template may end a turn with the token that also pads).
        """
        turns = [*prompt.messages, {"role": "assistant", "content": answer}]
        try:
            text = self.tokenizer.apply_chat_template(turns, tokenize=False)
        except Exception as error:  # a template is a program of the model's author: anything can go wrong in it
            what = f"the reward model's chat template fails on prompt {prompt.id} ({type(error).__name__}: {error})"
            raise StageError("model", what, "Use a reward model whose template takes the data's roles.") from error
        ids = list(self.tokenizer.encode(text, add_special_tokens=False))
        while ids and ids[-1] == self.pad_token_id:
            ids.pop()
        return Conversation(prompt.id, tuple(ids))

    def readable(self, conversation: Conversation) -> bool:
        """Whether it fits. What does not is given no score: half an answer is another answer."""
        return 0 < len(conversation.token_ids) <= self.most_tokens


def score_sheet(server: Server, reader: Reader, columns: Sequence[Sequence[Conversation]]) -> RewardedRun:
    """The scores of a sheet's columns, with what they were made by. Raises StageError as `score` does."""
    started = time.perf_counter()
    answers, chosen, rejected = (score(server, reader, column) for column in columns)
    return RewardedRun(
        answers=answers,
        chosen=chosen,
        rejected=rejected,
        server_argv=server.argv,
        server_environment=server.environment,
        ready_seconds=server.ready_seconds,
        scoring_seconds=time.perf_counter() - started,
        versions=installed_versions(),
    )


def score(server: Server, reader: Reader, conversations: Sequence[Conversation]) -> list[RewardedAnswer]:
    """A score for each conversation, in their order; None for those that are too long.

    Raises StageError: `wrong_model` where another model or a classifier of several labels answers, `score` where the
    server refuses a request, counts other tokens or gives no finite number.
    """
    readable = [one for one in conversations if reader.readable(one)]
    with httpx2.Client(base_url=server.url, headers=server.headers, timeout=_REQUEST_TIMEOUT_SECONDS) as client:
        parts = [readable[start : start + _AT_A_TIME] for start in range(0, len(readable), _AT_A_TIME)]
        scores: Iterator[float] = (found for part in parts for found in _scores(client, server.name, part))
        return [
            RewardedAnswer(
                prompt=one.prompt,
                tokens=len(one.token_ids),
                score=next(scores) if reader.readable(one) else None,
            )
            for one in conversations
        ]


def _scores(client: httpx2.Client, name: str, conversations: Sequence[Conversation]) -> list[float]:
    ids = [list(one.token_ids) for one in conversations]
    response = client.post("/classify", json={"model": name, "input": ids, "use_activation": False})
    if response.is_error:
        what = f"prompt {conversations[0].prompt} and those after it: status {response.status_code}"
        raise StageError("score", f"{what}: {response.text[:500]}")
    answer = response.json()
    if answer["model"] != name:
        raise StageError("wrong_model", f"prompt {conversations[0].prompt} was scored by {answer['model']}, not {name}")
    if (read := answer["usage"]["prompt_tokens"]) != (sent := sum(map(len, ids))):
        raise StageError("score", f"the server read {read:,} tokens where {sent:,} were sent")
    rows = sorted(answer["data"], key=lambda row: int(row["index"]))
    return [_score(row["probs"], one) for row, one in zip(rows, conversations, strict=True)]


def _score(outputs: Sequence[float], conversation: Conversation) -> float:
    """vLLM calls outputs probabilities even where no activation has made them that."""
    if len(outputs) != 1:
        raise StageError(
            "wrong_model", f"prompt {conversation.prompt}: {len(outputs)} scores from a model of one label"
        )
    if not math.isfinite(outputs[0]):
        raise StageError("score", f"prompt {conversation.prompt}: the score is {outputs[0]}")
    return float(outputs[0])
