"""What data and devices allow to be trained and measured, checked against what a study asks for."""

import math
from difflib import get_close_matches
from pathlib import Path

from prefsweep.checking import DatasetCounts
from prefsweep.engine_arguments import own_arguments
from prefsweep.environments import lock_of
from prefsweep.methods import Method
from prefsweep.metrics import ANSWER_METRICS, METRICS, PREFERENCE_TASK, REWARD_MODEL_SCORE, WIN_RATE
from prefsweep.plan import BASE, Device, Point, Run
from prefsweep.search import halving_of
from prefsweep.settings import ENGINE
from prefsweep.study import StudyConfig
from prefsweep.study_problems import StudyError
from prefsweep.swift_settings import check_batches
from prefsweep.task_settings import TaskSettings
from prefsweep.tracking import missing_integrations
from prefsweep.wording import count, joined
from prefsweep.yaml_file import load_yaml

ADD_PAIRS = "or add `heldout:` with a file of pairs to the dataset"


def check_methods(file: Path, config: StudyConfig, methods: dict[str, Method], counts: DatasetCounts | None) -> None:
    """Rows labelled one by one have no pairs, so only methods that train on labels can use them.

    Raises StudyError with the line of `methods:`.
    """
    if counts is None or counts.content == "pairs":
        return
    chosen = [name for name in methods if name in config.methods.model_fields_set]
    need = [name for name in chosen if methods[name].data == "pairs"]
    if need:
        labelled = [name for name, method in methods.items() if method.data == "labelled"]
        able = joined([name for name in labelled if name in chosen] or labelled)
        why = "to learn they need two answers to the same prompt, and its rows have one answer and a label"
        where = f"{file}:{load_yaml(file).line_of(('methods',))}: methods"
        raise StudyError([f"{where}: {joined(need)} cannot train on this data: {why}. Keep {able} alone"])


def check_tracking(file: Path, points: list[Point], device: Device) -> None:
    """Training curves go to integrations that the train environment has. Raises StudyError with a line."""
    document = load_yaml(file)
    for point in points:
        names = own_arguments(point.settings).get("report_to", [])
        if missing := missing_integrations(names, lock_of("train", device)):
            given = ("methods", point.method, ENGINE, "report_to")
            place = given if given in document.lines else ("train", ENGINE, "report_to")
            remedy = f"add it to envs/{device}/train.in and run `make locks`, or remove it"
            where = f"{file}:{document.line_of(place)}: {'.'.join(place)}"
            raise StudyError([f"{where}: {missing[0]} is not in the train environment; {remedy}"])


def check_parallel(file: Path, config: StudyConfig, points: list[Point], device: Device) -> None:
    """GPUs must be able to share a batch, and be there to serve a model together. Raises StudyError with a line."""
    document = load_yaml(file)
    for point in points:
        try:
            if point.method != BASE:
                check_batches(point.settings)
        except ValueError as error:
            section = "train" if "train" in document.value else "methods"
            where = f"{file}:{document.line_of((section,))}: {section}: {point.label}"
            raise StudyError([f"{where}: {error}"]) from None
    if device == "cpu" and config.generate.tensor_parallel > 1:
        where = f"{file}:{document.line_of(('generate', 'tensor_parallel'))}: generate.tensor_parallel"
        raise StudyError([f"{where}: is for several GPUs, and this study runs on the CPU; remove it"])


def check_halving(
    file: Path, config: StudyConfig, methods: dict[str, Method], runs: list[Run], points: list[Point]
) -> None:
    """Rungs must be at different steps, before the last one, of runs that can go on. Raises StudyError with a line."""
    halving = halving_of(config.search)
    if halving is None:
        return
    where = f"{file}:{load_yaml(file).line_of(('search', 'halving'))}: search.halving"
    primary = METRICS[config.primary_metric]
    if primary.needs_judge or primary.needs_reward_model:
        asked = "judged" if primary.needs_judge else "scored by a reward model"
        what = f"rungs are not {asked}, so that {primary.name} cannot rank points there"
        raise StudyError([f"{where}: {what}; declare another primary_metric or remove one of the two"])
    if any(point.settings.get("deepspeed") for point in points):
        raise StudyError([f"{where}: runs with train.deepspeed cannot be continued at a rung; remove one of the two"])
    if forgetful := sorted({point.method for point in points if point.method in methods} & _forgetful(methods)):
        what = f"{joined(forgetful)} cannot be continued at a rung as if nothing had stopped (docs/methods.md)"
        raise StudyError([f"{where}: {what}; leave it to a study without halving"])
    for run in runs:
        steps = run.estimate.steps or 0
        ends = [math.ceil(share * steps) for share in halving.shares]
        if steps and len({*ends, steps}) <= len(ends):
            told = joined([str(end) for end in ends])
            why = f"{run.point} has {count(steps, 'step')}, so that its rungs would end at {told}"
            remedy = "every rung needs a step of its own before the last: lower rungs or batch_size, or add data"
            raise StudyError([f"{where}: {why}; {remedy}"])


def _forgetful(methods: dict[str, Method]) -> set[str]:
    return {name for name, method in methods.items() if not method.continues}


def check_number(file: Path, config: StudyConfig, runs: list[Run], device: Device) -> None:
    """Raise StudyError with the line of `max_runs:`, or of `methods:`, when there are more runs than that."""
    if len(runs) <= config.max_runs:
        return
    key = "max_runs" if "max_runs" in config.model_fields_set else "methods"
    where = f"{file}:{load_yaml(file).line_of((key,))}: {key}"
    known = [run.estimate for run in runs if run.estimate.seconds is not None]
    seconds = sum(estimate.gpu_seconds if device == "cuda" else estimate.seconds or 0 for estimate in known)
    unit = "GPU-hours" if device == "cuda" else "hours"
    hours = f" ({seconds / 3600:,.0f} estimated {unit})" if known else ""
    what = f"the study has {len(runs):,} runs{hours}, more than max_runs {config.max_runs:,}"
    remedy = f"set `max_runs: {len(runs)}` to confirm, or draw fewer points with `search: {{random: 20}}`"
    raise StudyError([f"{where}: {what}; {remedy}"])


def check_primary_metric(file: Path, config: StudyConfig, counts: DatasetCounts | None) -> None:
    """The primary metric must have a better end and be measurable on what is held out.

    Raises StudyError with the line of `primary_metric:`, or of `study:` where it is the default.
    """
    offered = [
        name
        for name, metric in METRICS.items()
        if metric.direction != "neutral"
        and (counts is None or counts.has_pairs or not metric.needs_pairs)
        and (config.evaluate.judge is not None or not metric.needs_judge)
        and (config.evaluate.reward_model is not None or not metric.needs_reward_model)
    ]
    if config.primary_metric in offered:
        return
    given = "primary_metric" in config.model_fields_set
    line = load_yaml(file).line_of(("primary_metric",) if given else ("study",))
    if config.primary_metric in METRICS and METRICS[config.primary_metric].needs_pairs:
        why = "needs held-out pairs, and this data has rows labelled one by one"
        remedy = f"declare one of {', '.join(offered)}, {ADD_PAIRS}"
    elif config.primary_metric == WIN_RATE:
        why, remedy = "needs somebody who compares answers", "name a judge in `evaluate.judge:` (docs/judge.md)"
    elif config.primary_metric == REWARD_MODEL_SCORE:
        why, remedy = "needs somebody who scores answers", "name a model in `evaluate.reward_model:` (docs/reward.md)"
    else:
        close = get_close_matches(config.primary_metric, offered, n=1)
        hint = f"did you mean {close[0]!r}? Choose from" if close else "choose from"
        why, remedy = "cannot say what is better", f"{hint}: {', '.join(offered)}"
    default = "" if given else " (the default)"
    raise StudyError([f"{file}:{line}: primary_metric: {config.primary_metric!r}{default} {why}; {remedy}"])


def check_wants(file: Path, config: StudyConfig) -> None:
    """What is wanted to change must be measured on answers. Raises StudyError with the line of each that is not."""
    document, problems = load_yaml(file), []
    for index, name in enumerate(config.wants):
        if name not in ANSWER_METRICS:
            close = get_close_matches(name, ANSWER_METRICS, n=1)
            hint = f"did you mean {close[0]!r}? Choose from" if close else "choose from"
            where = f"{file}:{document.line_of(('wants', index))}: wants"
            problems.append(f"{where}: {name!r} is no metric of answers; {hint}: {', '.join(ANSWER_METRICS)}")
    if problems:
        raise StudyError(problems)


def measurable_tasks(file: Path, config: StudyConfig, counts: DatasetCounts | None) -> list[TaskSettings]:
    """The study's lm-eval tasks; without held-out pairs the default ones but for preference accuracy.

    Raises StudyError with its line when a study asks for preference accuracy all the same.
    """
    tasks = config.evaluate.tasks
    others = [task for task in tasks if task.name != PREFERENCE_TASK]
    if counts is None or counts.has_pairs or others == tasks:
        return tasks
    if "tasks" in config.evaluate.model_fields_set:
        where = f"{file}:{load_yaml(file).line_of(('evaluate', 'tasks'))}: evaluate.tasks"
        raise StudyError([f"{where}: {PREFERENCE_TASK} compares the answers of held-out pairs: remove it, {ADD_PAIRS}"])
    return others
