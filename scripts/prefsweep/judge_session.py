"""A study's judge at work: one process at a time asks, out of the study's purse, and nothing is asked twice."""

import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import httpx2
from filelock import FileLock

from prefsweep.failures import StageError
from prefsweep.judge_endpoint import Endpoint
from prefsweep.judge_plan import judge_key
from prefsweep.judge_spending import KeptReplies, Purse
from prefsweep.judge_template import JudgeTemplate
from prefsweep.judging import AnswerPair, Judge
from prefsweep.plan import Plan, run_directory
from prefsweep.planned_judge import PlannedJudge
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import installed_versions
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import JudgedPair, JudgeSession
from prefsweep.records.measure import read_generations

_EVERY = 50
"""Verdicts between two lines of progress."""


def judge_of(plan: Plan) -> PlannedJudge:
    """The study's judge. Raises StageError of class `config` without one."""
    if plan.judge is None:
        what = f"the plan of {plan.study} has no judge"
        raise StageError("config", what, "Run the same command again: the plan has changed.")
    return plan.judge


def judged_prompts(planned: PlannedJudge, data: Path) -> list[HeldOutPrompt]:
    """The prompts that are judged, of the prepared data in `results/<study>/data`."""
    prompts = {prompt.id: prompt for prompt in heldout_prompts(data)}
    return [prompts[name] for name in planned.judged((prompt.id, prompt.half) for prompt in prompts.values())]


def answer_pairs(study: Path, run: str, opponent: str, prompts: Sequence[HeldOutPrompt]) -> list[AnswerPair]:
    """The answers of two runs below `results/<study>/` to each of the prompts.

    Raises StageError of class `score` when one of them lacks one.
    """
    own, other = (_answers(run_directory(study, one) / "generations.jsonl") for one in (run, opponent))
    if lacking := [prompt.id for prompt in prompts if prompt.id not in own or prompt.id not in other]:
        raise StageError("score", f"{len(lacking)} prompts to judge have no answer, such as {lacking[0]}")
    return [AnswerPair(prompt, own[prompt.id], other[prompt.id]) for prompt in prompts]


def _answers(path: Path) -> dict[str, str]:
    return {generation.prompt: generation.answer for generation in read_generations(path)}


def hold(
    plan: Plan, template: Path, replies: Path, pairs: Sequence[AnswerPair]
) -> tuple[list[JudgedPair], JudgeSession]:
    """Have the study's judge compare the pairs, in their order; waits while another process asks.

    `replies` is where replies are kept, of all studies. The key comes from the environment variable that the study
    names. Raises StageError as `judge_of`, `judge_key` and `Judge.compare` do.
    """
    planned = judge_of(plan)
    settings = planned.settings
    replies.mkdir(parents=True, exist_ok=True)

    async def asked(purse: Purse) -> tuple[list[JudgedPair], Judge, int]:
        async with httpx2.AsyncClient(timeout=settings.timeout_seconds) as client:
            endpoint = Endpoint(client, settings, judge_key(settings), purse)
            judge = Judge(settings, JudgeTemplate.read(template), endpoint, KeptReplies(replies / "replies"))
            return await judge.compare(pairs, _progress), judge, endpoint.requests

    # `concurrency` is the endpoint's, and nobody else spends meanwhile.
    with FileLock(replies / "asking.lock"):
        started = time.perf_counter()
        judged, judge, requests = asyncio.run(asked(Purse(replies / "spent" / f"{plan.study}.json", settings)))
    return judged, JudgeSession(
        asked=planned.asked,
        served_models=sorted(judge.served_models),
        new_requests=requests,
        total_seconds=time.perf_counter() - started,
        versions=installed_versions(),
    )


def _progress(done: int, of: int) -> None:
    if done % _EVERY == 0 or done == of:
        print(f"{done:,} of {of:,} verdicts", file=sys.stderr, flush=True)
