"""A study's judge, resolved and counted before anything is spent."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from prefsweep.failures import StageError
from prefsweep.files import from_root
from prefsweep.judge_template import JudgeTemplate
from prefsweep.plan import BASE, Run
from prefsweep.planned_judge import JudgeEstimate, PlannedJudge
from prefsweep.settings import JudgeConfig

_BYTES_PER_TOKEN = 4
"""Of UTF-8 text, as in estimate.py."""


class HeldOut(Protocol):
    """What is known of the data before it is prepared."""

    @property
    def heldout_rows(self) -> int: ...

    @property
    def sequence_bytes(self) -> float: ...


def planned_judge(
    settings: JudgeConfig | None, runs: Sequence[Run], heldout: HeldOut | None, answer_tokens: int, root: Path
) -> PlannedJudge | None:
    """Resolve the judge of a study with these runs, whose answers have at most so many tokens; None without a judge.

    Raises StageError of class `config` for a template that is not there or cannot be used.
    """
    if settings is None:
        return None
    named = root / "config" / "judges" / f"{settings.template}.md"
    path = named if named.is_file() else Path(settings.template).resolve()
    template = JudgeTemplate.read(path)
    trained = [run for run in runs if not run.point.startswith(f"{BASE}-")]
    return PlannedJudge(
        settings=settings,
        template=from_root(path, root),
        template_sha256=template.sha256,
        estimate=_estimate(settings, trained, heldout, template, answer_tokens) if heldout else None,
    )


def _estimate(
    settings: JudgeConfig, runs: Sequence[Run], heldout: HeldOut, template: JudgeTemplate, answer_tokens: int
) -> JudgeEstimate:
    halves = (heldout.heldout_rows - heldout.heldout_rows // 2, heldout.heldout_rows // 2)
    development, test = (min(half, settings.prompts or half) for half in halves)
    rival_requests = 2 * _most_meetings(settings, runs) * test
    requests = 2 * len(runs) * (development + test) + rival_requests
    text_bytes = len(template.text.encode()) + heldout.sequence_bytes
    return JudgeEstimate(
        requests=requests,
        rival_requests=rival_requests,
        input_tokens=round(requests * (text_bytes / _BYTES_PER_TOKEN + 2 * answer_tokens)),
        output_tokens=requests * settings.max_tokens,
    )


def _most_meetings(settings: JudgeConfig, runs: Sequence[Run]) -> int:
    """Pairs of runs that may meet: seed by seed, one point of each method."""
    methods = len({run.point.partition("-")[0] for run in runs})
    pairs = {"none": 0, "recommended": max(methods - 1, 0), "all": math.comb(methods, 2)}[settings.rivals]
    return pairs * len({run.seed for run in runs})


def judge_costs(judge: PlannedJudge | None) -> list[str]:
    """What judging takes at most, and where its limits may end it, in sentences."""
    if judge is None or judge.estimate is None:
        return []
    settings, most = judge.settings, judge.estimate
    told = f"judge {settings.model} at {settings.url}: up to {most.requests:,} requests"
    if most.rival_requests:
        told += f" ({most.rival_requests:,} of them between methods)"
    if settings.price is None:
        lines = [f"{told}, at most about {most.input_tokens + most.output_tokens:,} tokens"]
    else:
        money = settings.price.cost(most.input_tokens, most.output_tokens)
        lines = [f"{told}, at most about {money:,.2f} {settings.price.currency}"]
        if settings.max_cost is not None and money > settings.max_cost:
            lines.append(f"judging may reach max_cost {settings.max_cost:g} and end there")
    if settings.max_requests is not None and most.requests > settings.max_requests:
        lines.append(f"judging may reach max_requests {settings.max_requests:,} and end there")
    return lines


def judge_key(settings: JudgeConfig) -> str | None:
    """The key, from the environment and nowhere else. Raises StageError of class `config` when it is not there."""
    name = settings.api_key_env
    if name is None:
        return None
    if not os.environ.get(name):
        what = f"evaluate.judge.api_key_env names the environment variable {name}, which is not set"
        raise StageError("config", what, f"Set it (`export {name}=...`) and run the same command again.")
    return os.environ[name]
