"""Pairs of answers put before a judge, call after call, as `scripts/judge.py` does for a run."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2

from prefsweep.judge_endpoint import Endpoint
from prefsweep.judge_spending import KeptReplies, Purse, Spent
from prefsweep.judge_template import JudgeTemplate
from prefsweep.judging import AnswerPair, Judge
from prefsweep.planned_judge import PlannedJudge
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import JudgedPair
from prefsweep.settings import JudgeConfig
from tests.judge_endpoint import MODEL

TEMPLATE = Path(__file__).resolve().parents[1] / "config" / "judges" / "pairwise.md"


def pair(name: str, answer: str, opponent: str) -> AnswerPair:
    turns = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": f"What about {name}?"}]
    prompt = HeldOutPrompt(
        id=name, cluster=name, part="heldout", half="test", messages=turns, chosen=None, rejected=None
    )
    return AnswerPair(prompt, answer, opponent)


class Desk:
    """Judges pairs at an endpoint, with the same kept replies and purse each time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pauses: list[float] = []
        self.requests = 0

    def judge(self, url: str, pairs: list[AnswerPair], key: str | None = None, **settings: Any) -> list[JudgedPair]:
        config = JudgeConfig.model_validate({"url": url, "model": MODEL, "api_key_env": "JUDGE_KEY", **settings})
        planned = PlannedJudge(settings=config, template=str(TEMPLATE), template_sha256="0" * 64, estimate=None)

        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        async def judged() -> list[JudgedPair]:
            async with httpx2.AsyncClient(timeout=config.timeout_seconds) as client:
                endpoint = Endpoint(client, url, config, key, Purse(self.folder / "spent.json", config), pause)
                judge = Judge(planned, JudgeTemplate.read(TEMPLATE), KeptReplies(self.folder / "replies"), endpoint)
                try:
                    return await judge.compare(pairs)
                finally:
                    self.requests = endpoint.requests

        return asyncio.run(judged())

    @property
    def spent(self) -> Spent:
        return Spent.read(self.folder / "spent.json")
