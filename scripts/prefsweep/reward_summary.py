"""What a reward model gave beyond means: answers it could not read, and whether it shares the data's taste."""

from prefsweep.plan import BASE
from prefsweep.results import StudyResults


def reward_columns(study: StudyResults, point: str) -> dict[str, str | int | float | None]:
    """The columns of `comparison.csv` that only a study with a reward model has; empty without one."""
    if study.plan.reward_model is None:
        return {}
    runs = study.of_point(point)
    records = [run.rewarded.record for run in runs if run.rewarded.record and run.status == "finished"]
    unread = [answer for record in records for answer in record.answers if answer.score is None]
    failures = [run.rewarded.failure for run in runs if run.rewarded.failure]
    return {
        "reward_model_unread_answers": len(unread) if records else None,
        "reward_model_failures": " · ".join(f"{f.run}: {f.failure}: {f.message}" for f in failures),
    }


def agreement_with_data(study: StudyResults) -> tuple[float, int] | None:
    """Share of the held-out pairs in which it gives the chosen answer more (equal scores are one half), and how many.

    Of all pairs both of whose answers it could read; None without any.
    """
    records = (run.rewarded.record for run in study.runs if run.point.method == BASE and run.rewarded.record)
    record = next(records, None)
    if record is None:
        return None
    pairs = [(one.score, other.score) for one, other in zip(record.chosen, record.rejected, strict=True)]
    wins = [0.5 if a == b else float(a > b) for a, b in pairs if a is not None and b is not None]
    return (sum(wins) / len(wins), len(wins)) if wins else None
