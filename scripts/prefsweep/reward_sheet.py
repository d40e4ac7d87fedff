"""What is to be scored of a run, and scores kept by content, so that one server start serves many runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from prefsweep.admission import left_empty
from prefsweep.failures import StageError
from prefsweep.files import sha256_of_json
from prefsweep.plan import BASE, Plan, run_directory
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.measure import Generation
from prefsweep.records.reward import RewardedRun

Turn = tuple[HeldOutPrompt, str]
"""A prompt and an answer to it."""


@dataclass(frozen=True)
class Sheet:
    """A run's answers, in the order of the prompts, and beside the base's those of the held-out pairs."""

    run: str
    answers: Sequence[Turn]
    chosen: Sequence[Turn] = ()
    rejected: Sequence[Turn] = ()

    @classmethod
    def of(cls, plan: Plan, run: str, study_directory: Path, prompts: Sequence[HeldOutPrompt]) -> "Sheet":
        """What `generations.jsonl` of the run has. Raises StageError (`score`) where it answers other prompts."""
        path = run_directory(study_directory, run) / "generations.jsonl"
        answers = {generation.prompt: generation.answer for generation in Generation.read_rows(path)}
        if answers.keys() != {prompt.id for prompt in prompts}:
            raise StageError("score", f"{path} does not answer the study's {len(prompts):,} prompts")
        sheet = cls(run, [(prompt, answers[prompt.id]) for prompt in prompts])
        if plan.point_of(run).method != BASE:
            return sheet
        pairs = [prompt for prompt in prompts if prompt.part == "heldout" and prompt.chosen and prompt.rejected]
        return cls(
            run,
            sheet.answers,
            chosen=[(prompt, prompt.chosen or "") for prompt in pairs],
            rejected=[(prompt, prompt.rejected or "") for prompt in pairs],
        )

    @property
    def columns(self) -> tuple[Sequence[Turn], ...]:
        """Answers, chosen and rejected."""
        return self.answers, self.chosen, self.rejected

    @property
    def content(self) -> str:
        """A hash of all that is to be scored, whichever run it is of."""
        return sha256_of_json([[[prompt.id, prompt.messages, text] for prompt, text in one] for one in self.columns])


def others_to_score(
    plan: Plan, run: str, study_directory: Path, prompts: Sequence[HeldOutPrompt], kept: "KeptScores"
) -> list[Sheet]:
    """Of the study's other runs, those whose answers are there and have no scores yet."""
    sheets = []
    for other in (one.id for one in plan.runs if one.id != run):
        path = run_directory(study_directory, other) / "generations.jsonl"
        try:
            if path.exists() and not left_empty(path):
                sheets.append(Sheet.of(plan, other, study_directory, prompts))
        except (StageError, ValueError):
            continue  # is about to be measured anew, or its own job says what is wrong with it
    return [sheet for sheet in sheets if kept.find(sheet) is None]


class KeptScores:
    """Scores of one reward model by a hash of what was scored: shared by all studies of a results folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, sheet: Sheet) -> RewardedRun | None:
        """The scores of such a sheet, if it was ever scored."""
        return self.read(sheet) if self._path(sheet).is_file() else None

    def read(self, sheet: Sheet) -> RewardedRun:
        """The scores of a sheet that was scored."""
        return RewardedRun.read(self._path(sheet))

    def keep(self, sheet: Sheet, scored: RewardedRun) -> None:
        """Keep them, from now on."""
        scored.write(self._path(sheet))

    def _path(self, sheet: Sheet) -> Path:
        return self._folder / f"{sheet.content}.json"
