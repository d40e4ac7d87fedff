"""A study's judge, resolved and counted before anything is spent."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from prefsweep import first_guess
from prefsweep.failures import StageError
from prefsweep.files import from_root
from prefsweep.judge_template import JudgeTemplate
from prefsweep.model_size import size_of
from prefsweep.models import ModelSpec
from prefsweep.plan import BASE, Device, GenerateSettings, Run
from prefsweep.planned_judge import JudgeEstimate, PlannedJudge, ServedJudge
from prefsweep.settings import JudgeConfig

_BYTES_PER_TOKEN = 4
"""Of UTF-8 text, as in estimate.py."""


class HeldOut(Protocol):
    """What is known of the data before it is prepared."""

    @property
    def heldout_rows(self) -> int: ...

    @property
    def sequence_bytes(self) -> float: ...


@dataclass(frozen=True)
class Circumstances:
    """What decides how much there is to judge, and how fast a judge of the study's own is."""

    runs: Sequence[Run]
    heldout: HeldOut | None
    generate: GenerateSettings
    device: Device


def served_judge(settings: JudgeConfig, spec: ModelSpec, directory: Path, revision: str, root: Path) -> ServedJudge:
    """The model that the study serves as its judge: what `spec` describes, in `directory`."""
    fetched = spec.path is None
    return ServedJudge(
        name=spec.name,
        source=spec.source,
        directory=from_root(directory, root),
        fetched=fetched,
        revision=revision,
        content=spec.pins if fetched else revision,
        precision=settings.precision or "bfloat16",
    )


def planned_judge(
    settings: JudgeConfig | None, served: ServedJudge | None, study: Circumstances, root: Path
) -> PlannedJudge | None:
    """Resolve the judge of a study; None without one. `served` is the model where the study serves it itself.

    Raises StageError of class `config` for a template that is not there or cannot be used.
    """
    if settings is None:
        return None
    named = root / "config" / "judges" / f"{settings.template}.md"
    path = named if named.is_file() else Path(settings.template).resolve()
    template = JudgeTemplate.read(path)
    estimate = _estimate(settings, study, study.heldout, template) if study.heldout else None
    if estimate and served:
        estimate = _timed(estimate, settings, served, study, root)
    return PlannedJudge(
        settings=settings,
        template=from_root(path, root),
        template_sha256=template.sha256,
        served=served,
        estimate=estimate,
    )


def _estimate(settings: JudgeConfig, study: Circumstances, heldout: HeldOut, template: JudgeTemplate) -> JudgeEstimate:
    runs = [run for run in study.runs if not run.point.startswith(f"{BASE}-")]
    halves = (heldout.heldout_rows - heldout.heldout_rows // 2, heldout.heldout_rows // 2)
    development, test = (min(half, settings.prompts or half) for half in halves)
    rival_requests = 2 * _most_meetings(settings, runs) * test
    requests = 2 * len(runs) * (development + test) + rival_requests
    text_bytes = len(template.text.encode()) + heldout.sequence_bytes
    return JudgeEstimate(
        requests=requests,
        rival_requests=rival_requests,
        input_tokens=round(requests * (text_bytes / _BYTES_PER_TOKEN + 2 * study.generate.max_tokens)),
        output_tokens=requests * settings.max_tokens,
    )


def _timed(
    estimate: JudgeEstimate, settings: JudgeConfig, served: ServedJudge, study: Circumstances, root: Path
) -> JudgeEstimate:
    """The same with what it takes of the study's own device; a model that is not there yet has no size."""
    size = size_of(served.folder(root))
    if size is None:
        return estimate
    generate = study.generate.model_copy(update={"precision": served.precision, "concurrency": [settings.concurrency]})
    seconds = first_guess.judge_seconds(size, generate, estimate.input_tokens, estimate.output_tokens, study.device)
    gpus = generate.tensor_parallel if study.device == "cuda" else 0
    return estimate.model_copy(update={"seconds": round(seconds, 1), "gpus": gpus})


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
    told = f"judge {judge.described}: up to {most.requests:,} requests"
    if most.rival_requests:
        told += f" ({most.rival_requests:,} of them between methods)"
    if judge.served:
        lines = [f"{told}, {_hours(most)}"]
    elif settings.price is None:
        lines = [f"{told}, at most about {most.input_tokens + most.output_tokens:,} tokens"]
    else:
        money = settings.price.cost(most.input_tokens, most.output_tokens)
        lines = [f"{told}, at most about {money:,.2f} {settings.price.currency}"]
        if settings.max_cost is not None and money > settings.max_cost:
            lines.append(f"judging may reach max_cost {settings.max_cost:g} and end there")
    if settings.max_requests is not None and most.requests > settings.max_requests:
        lines.append(f"judging may reach max_requests {settings.max_requests:,} and end there")
    return lines


def _hours(most: JudgeEstimate) -> str:
    if most.seconds is None:
        return "hours unknown until the model is fetched"
    devices, unit = (most.gpus, "GPU-hours") if most.gpus else (1, "hours")
    return f"at most about {most.seconds * devices / 3600:.2g} {unit} (first guess)"


def judge_key(settings: JudgeConfig) -> str | None:
    """The key, from the environment and nowhere else. Raises StageError of class `config` when it is not there."""
    name = settings.api_key_env
    if name is None:
        return None
    if not os.environ.get(name):
        what = f"evaluate.judge.api_key_env names the environment variable {name}, which is not set"
        raise StageError("config", what, f"Set it (`export {name}=...`) and run the same command again.")
    return os.environ[name]
