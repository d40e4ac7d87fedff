"""One run's answers against another's, prompt by prompt: both orders, every reply kept as soon as it has come.

Judges prefer what they read first, often enough to turn a comparison round (arXiv 2306.05685): so nobody wins who does
not win in both places.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from prefsweep.failures import StageError
from prefsweep.judge_endpoint import FRAME_BYTES, Endpoint
from prefsweep.judge_spending import KeptReplies, Reply
from prefsweep.judge_template import REMINDERS, RESPONSE_FORMAT, JudgeTemplate, choice_of
from prefsweep.planned_judge import PlannedJudge
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import Ballot, JudgedPair
from prefsweep.settings import JudgeConfig


@dataclass(frozen=True)
class AnswerPair:
    """A prompt with the answers of the arm and of its opponent."""

    prompt: HeldOutPrompt
    answer: str
    opponent: str


class UnansweredError(Exception):
    """Nobody is there to be asked what was never answered before."""


@dataclass
class Judge:
    """A template, the replies that are kept, and somebody who gives the others."""

    planned: PlannedJudge
    template: JudgeTemplate
    kept: KeptReplies
    endpoint: Endpoint | None = None
    served_models: set[str] = field(default_factory=set)

    @property
    def settings(self) -> JudgeConfig:
        return self.planned.settings

    def remembered(self, pairs: Sequence[AnswerPair]) -> list[JudgedPair] | None:
        """As `compare`, of kept replies alone; None where one is lacking."""
        try:
            return asyncio.run(replace(self, endpoint=None).compare(pairs))
        except UnansweredError:
            return None

    def most_tokens(self, pairs: Sequence[AnswerPair]) -> int:
        """Upper bound of the tokens of a question on one of these pairs with its reply: a token is a byte at least."""
        form = self.settings.verdicts
        questions = (
            self.template.render(pair.prompt.messages, *answers, form=form)
            for pair in pairs
            for answers in ((pair.answer, pair.opponent), (pair.opponent, pair.answer))
        )
        longest = max((len(question.encode()) for question in questions), default=0)
        return longest + len(REMINDERS[form].encode()) + FRAME_BYTES + self.settings.max_tokens

    async def compare(
        self, pairs: Sequence[AnswerPair], progress: Callable[[int, int], None] = lambda done, of: None
    ) -> list[JudgedPair]:
        """Every pair judged in both orders, in the order of `pairs`, so many requests at a time as the study says.

        The first error ends it: no further request is sent, those that are on their way are waited for and kept. Raises
        the StageError with how far it got.
        """
        gate = asyncio.Semaphore(self.settings.concurrency)
        errors: list[StageError] = []
        done = 0

        async def judged(pair: AnswerPair, arm_first: bool) -> Ballot | None:
            nonlocal done
            async with gate:
                if errors or pair.answer == pair.opponent:
                    return None
                try:
                    ballot = await self._ballot(pair, arm_first)
                except StageError as error:
                    errors.append(error)
                    return None
            done += 1
            progress(done, 2 * len(pairs))
            return ballot

        asked = [judged(pair, arm_first) for pair in pairs for arm_first in (True, False)]
        ballots = await asyncio.gather(*asked)
        if errors:
            reached = f"{errors[0]} (after {done:,} of {2 * len(pairs):,} verdicts)"
            raise StageError(errors[0].failure, reached, errors[0].remedy)
        return [
            JudgedPair(prompt=pair.prompt.id, arm_first=first, opponent_first=second)
            for pair, first, second in zip(pairs, ballots[::2], ballots[1::2], strict=True)
        ]

    async def _ballot(self, pair: AnswerPair, arm_first: bool) -> Ballot:
        """Ask until a reply has a verdict, and reminded of the form from the second time on."""
        answers = (pair.answer, pair.opponent) if arm_first else (pair.opponent, pair.answer)
        form = self.settings.verdicts
        question = self.template.render(pair.prompt.messages, *answers, form=form)
        replies: list[Reply] = []
        choice = None
        while choice is None and len(replies) <= self.settings.retries:
            reminder = f"\n\n{REMINDERS[form]}" if replies else ""
            replies.append(await self._reply(question + reminder, attempt=len(replies)))
            choice = choice_of(replies[-1].text, form)
        self.served_models |= {reply.model for reply in replies}
        return Ballot(
            choice=choice,
            reply=replies[-1].text,
            requests=len(replies),
            input_tokens=sum(reply.input_tokens for reply in replies),
            output_tokens=sum(reply.output_tokens for reply in replies),
        )

    async def _reply(self, question: str, attempt: int) -> Reply:
        body: dict[str, Any] = {
            "model": self.planned.model,
            "messages": [{"role": "user", "content": question}],
            "temperature": self.settings.temperature,
            "max_tokens": self.settings.max_tokens,
        }
        if self.settings.verdicts == "json_schema":
            body["response_format"] = RESPONSE_FORMAT
        request = self.planned.identity | {"body": body, "attempt": attempt}
        reply = self.kept.find(request)
        if reply is None:
            if self.endpoint is None:
                raise UnansweredError
            reply = await self.endpoint.reply(body)
            self.kept.keep(request, reply)
        return reply
