"""What a judge left of a study's best points against each other; that it could not be asked costs nothing else."""

from dataclasses import dataclass
from pathlib import Path

from prefsweep.failures import Failure, failure_of, silent_death, unreadable
from prefsweep.lifetime import is_held
from prefsweep.plan import Plan
from prefsweep.records.judge import JudgeSession, RivalVerdict


@dataclass(frozen=True)
class JudgedRivals:
    """The verdicts, pair by pair of runs; none where judging failed or has not begun."""

    verdicts: tuple[RivalVerdict, ...] = ()
    failure: Failure | None = None

    @classmethod
    def read(cls, study_directory: Path, plan: Plan) -> "JudgedRivals":
        """What counts of it: verdicts of another judge than the plan's, or asked otherwise, are none."""
        if plan.judge is None or plan.judge.settings.rivals == "none":
            return cls()
        folder = study_directory / "rivals"
        try:
            failure = failure_of(folder) or _silent_death(folder, plan)
            if not (folder / "judge.json").exists():
                return cls(failure=failure)
            if JudgeSession.read(folder / "judge.json").asked != plan.judge.asked:
                return cls(failure=failure)
            return cls(tuple(RivalVerdict.read_rows(folder / "judged.jsonl")), failure)
        except (OSError, ValueError) as error:
            return cls(failure=unreadable("rivals", "rivals/", "the study's folder", error))


def _silent_death(folder: Path, plan: Plan) -> Failure | None:
    left = folder / "running-judge.json"
    return silent_death(left, plan.study) if left.exists() and not is_held(left) else None
