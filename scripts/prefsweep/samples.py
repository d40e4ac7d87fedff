"""`samples.jsonl`: every answer of every run beside its prompt, the text exactly as generated."""

from collections.abc import Iterator
from typing import Any

from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.results import RunResults, StudyResults


def sample_rows(study: StudyResults) -> Iterator[dict[str, Any]]:
    """Every answer, run by run, beside its prompt and with its metrics, the text exactly as generated."""
    prompts = {prompt.id: prompt for prompt in study.prompts}
    for run in study.runs:
        scores = run.prompt_scores
        for answer in run.generations():
            if answer.prompt in prompts:
                yield _sample(prompts[answer.prompt], run, answer, scores.get(answer.prompt))


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
