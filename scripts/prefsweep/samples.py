"""`samples.jsonl`: every answer of every run beside its prompt, the text exactly as generated."""

from collections.abc import Iterator
from typing import Any

from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.results import RunResults, StudyResults


def sample_rows(study: StudyResults) -> Iterator[dict[str, Any]]:
    """Every answer of every run beside its prompt, with its metrics, the text exactly as generated."""
    answers = [{generation.prompt: generation for generation in run.generations or ()} for run in study.runs]
    scores = [{score.prompt: score.metrics for score in run.prompt_scores} for run in study.runs]
    for prompt in study.prompts:
        for run, answered, scored in zip(study.runs, answers, scores, strict=True):
            if prompt.id in answered:
                yield _sample(prompt, run, answered[prompt.id], scored.get(prompt.id))


def _sample(
    prompt: HeldOutPrompt, run: RunResults, answer: Generation, metrics: dict[str, float] | None
) -> dict[str, Any]:
    return {
        "prompt": prompt.id,
        "part": prompt.part,
        "half": prompt.half,
        "messages": prompt.messages,
        "chosen": prompt.chosen,
        "rejected": prompt.rejected,
        "run": run.run.id,
        "point": run.point.id,
        "method": run.point.method,
        "label": run.point.label,
        "seed": run.run.seed,
        "answer": answer.answer,
        "finish_reason": answer.finish_reason,
        "output_tokens": answer.output_tokens,
        "metrics": metrics,
    }
