"""Have a run's answers to the held-out prompts compared with the base's, by the study's judge, in both orders.

The key is taken from the environment variable that the study names, never from the command line.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path

import httpx2
from filelock import FileLock

from prefsweep.failures import StageError, recorded
from prefsweep.files import read_jsonl, write_jsonl
from prefsweep.judge_endpoint import Endpoint
from prefsweep.judge_plan import judge_key
from prefsweep.judge_spending import KeptReplies, Purse
from prefsweep.judge_template import JudgeTemplate
from prefsweep.judging import AnswerPair, Judge
from prefsweep.plan import Plan
from prefsweep.planned_judge import PlannedJudge
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import installed_versions
from prefsweep.records.judge import JudgedPair, JudgeRecord
from prefsweep.records.measure import Generation

_EVERY = 50
"""Verdicts between two lines of progress."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--opponent", required=True, help="the base's run")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--replies", type=Path, required=True, help="where replies are kept, of all studies")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    options = parser.parse_args()
    with recorded(options.run, "judge", options.output):
        plan = Plan.read(options.plan)
        if plan.judge is None:
            raise StageError(
                "config", f"{options.plan} has no judge", "Run the same command again: the plan has changed."
            )
        options.replies.mkdir(parents=True, exist_ok=True)
        # One run at a time asks: `concurrency` is the endpoint's, and nobody else spends meanwhile.
        with FileLock(options.replies / "asking.lock"):
            judge_run(options, plan, plan.judge)


def judge_run(options: argparse.Namespace, plan: Plan, planned: PlannedJudge) -> None:
    started = time.perf_counter()
    purse = Purse(options.replies / "spent" / f"{plan.study}.json", planned.settings)
    pairs = answer_pairs(options, planned)

    async def asked() -> tuple[list[JudgedPair], Judge, int]:
        async with httpx2.AsyncClient(timeout=planned.settings.timeout_seconds) as client:
            endpoint = Endpoint(client, planned.settings, judge_key(planned.settings), purse)
            kept = KeptReplies(options.replies / "replies")
            judge = Judge(planned.settings, JudgeTemplate.read(options.template), endpoint, kept)
            return await judge.compare(pairs, progress), judge, endpoint.requests

    judged, judge, requests = asyncio.run(asked())
    write_jsonl(options.output / "judged.jsonl", [pair.model_dump() for pair in judged])
    JudgeRecord(
        run=options.run,
        opponent=options.opponent,
        asked=planned.asked,
        served_models=sorted(judge.served_models),
        new_requests=requests,
        total_seconds=time.perf_counter() - started,
        versions=installed_versions(),
    ).write(options.output / "judge.json")


def answer_pairs(options: argparse.Namespace, planned: PlannedJudge) -> list[AnswerPair]:
    """The prompts that are judged, each with both answers."""
    prompts = {prompt.id: prompt for prompt in heldout_prompts(options.data)}
    chosen = planned.judged((prompt.id, prompt.half) for prompt in prompts.values())
    study = options.plan.parent
    own, other = (answers(study / "runs" / run / "generations.jsonl") for run in (options.run, options.opponent))
    if lacking := [name for name in chosen if name not in own or name not in other]:
        raise StageError("score", f"{len(lacking)} prompts to judge have no answer, such as {lacking[0]}")
    return [AnswerPair(prompts[name], own[name], other[name]) for name in chosen]


def answers(path: Path) -> dict[str, str]:
    generations = [Generation.model_validate(row) for row in read_jsonl(path)]
    return {generation.prompt: generation.answer for generation in generations}


def progress(done: int, of: int) -> None:
    if done % _EVERY == 0 or done == of:
        print(f"{done:,} of {of:,} verdicts", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
