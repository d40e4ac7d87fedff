"""A study's judge at work: one process at a time asks, out of the study's purse, and nothing is asked twice."""

import asyncio
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx2
from filelock import FileLock

from prefsweep.admission import left_empty
from prefsweep.failures import StageError
from prefsweep.judge_endpoint import Endpoint
from prefsweep.judge_plan import judge_key
from prefsweep.judge_server import served_judge
from prefsweep.judge_spending import KeptReplies, Purse
from prefsweep.judge_template import JudgeTemplate
from prefsweep.judging import AnswerPair, Judge
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.planned_judge import PlannedJudge
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import installed_versions
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.judge import JudgedPair, JudgeServer, JudgeSession
from prefsweep.records.measure import Generation
from prefsweep.serving import version_of

_EVERY = 50
"""Verdicts between two lines of progress."""
Others = Sequence[tuple[str, Sequence[AnswerPair]]]
"""Further runs, each with what is to be judged of it."""


@dataclass(frozen=True)
class Courtroom:
    """What judging needs beside the plan, and where a server that it starts leaves its log."""

    template: Path
    replies: Path
    """Where replies are kept, of all studies."""
    vllm: Path
    """The command that starts a server."""
    server_log: Path


@dataclass(frozen=True)
class _Sitting:
    """What came of a sitting: verdicts, and what it took."""

    judged: list[JudgedPair]
    requests: int = 0
    server: JudgeServer | None = None
    versions: dict[str, str] = field(default_factory=dict)


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
    return {generation.prompt: generation.answer for generation in Generation.read_rows(path)}


def others_answered(plan: Plan, study: Path, run: str, prompts: Sequence[HeldOutPrompt]) -> Others:
    """Of the study's other trained runs, those whose answers are there, as are the base's, with both."""
    found = []
    for other in (one.id for one in plan.runs if one.id != run and plan.point_of(one.id).method != BASE):
        opponent = plan.opponent(other)
        try:
            if all(_has_answered(run_directory(study, one)) for one in (other, opponent)):
                found.append((other, answer_pairs(study, other, opponent, prompts)))
        except (StageError, ValueError):
            continue  # is about to be measured anew, or its own job says what is wrong with it
    return found


def _has_answered(run: Path) -> bool:
    path = run / "generations.jsonl"
    return path.exists() and not left_empty(path)


def hold(
    plan: Plan, room: Courtroom, pairs: Sequence[AnswerPair], others: Callable[[], Others] = tuple
) -> tuple[list[JudgedPair], JudgeSession]:
    """Have the study's judge compare the pairs, in their order; waits while another process asks.

    The key comes from the environment variable that the study names. A judge that the study serves is served only
    where a reply is lacking, and then asked about `others`, too: their jobs find the replies kept. Raises StageError as
    `judge_of`, `judge_key`, `served_judge` and `Judge.compare` do.
    """
    planned = judge_of(plan)
    room.replies.mkdir(parents=True, exist_ok=True)
    judge = Judge(planned, JudgeTemplate.read(room.template), KeptReplies(room.replies / "replies"))
    # `concurrency` is the endpoint's, and nobody else spends meanwhile.
    with FileLock(room.replies / "asking.lock"):
        started = time.perf_counter()
        sitting = _sit(plan, judge, room, pairs, others)
    return sitting.judged, JudgeSession(
        asked=planned.asked,
        served_models=sorted(judge.served_models),
        new_requests=sitting.requests,
        total_seconds=time.perf_counter() - started,
        server=sitting.server,
        versions=installed_versions() | sitting.versions,
    )


def _sit(
    plan: Plan, judge: Judge, room: Courtroom, pairs: Sequence[AnswerPair], others: Callable[[], Others]
) -> _Sitting:
    """Ask for what is lacking, wherever the study's judge is."""
    if (remembered := judge.remembered(pairs)) is not None:
        return _Sitting(remembered)
    planned = judge.planned
    purse = Purse(room.replies / "spent" / f"{plan.study}.json", planned.settings)
    if planned.served is None:
        return asyncio.run(_ask(judge, str(planned.settings.url), judge_key(planned.settings), purse, pairs))
    further = others()
    longest = judge.most_tokens([*pairs, *(pair for _, more in further for pair in more)])
    with served_judge(plan, planned.served, room.vllm, longest, room.server_log) as server:
        versions = {"vllm": version_of(server)}
        sitting = asyncio.run(_ask(judge, f"{server.url}/v1", server.key, purse, pairs, further))
    started = JudgeServer(argv=server.argv, environment=server.environment, ready_seconds=server.ready_seconds)
    return replace(sitting, server=started, versions=versions)


async def _ask(
    judge: Judge, url: str, key: str | None, purse: Purse, pairs: Sequence[AnswerPair], others: Others = ()
) -> _Sitting:
    """Have the pairs compared at an address, then those of others until an error, which is not this job's."""
    async with httpx2.AsyncClient(timeout=judge.settings.timeout_seconds) as client:
        endpoint = Endpoint(client, url, judge.settings, key, purse)
        asking = replace(judge, endpoint=endpoint)
        judged = await asking.compare(pairs, _progress)
        try:
            for run, more in others:
                await asking.compare(more)
                print(f"{run} is judged", file=sys.stderr, flush=True)
        except StageError as error:
            print(f"the other runs are left to their own jobs: {error}", file=sys.stderr, flush=True)
    return _Sitting(judged, endpoint.requests)


def _progress(done: int, of: int) -> None:
    if done % _EVERY == 0 or done == of:
        print(f"{done:,} of {of:,} verdicts", file=sys.stderr, flush=True)
