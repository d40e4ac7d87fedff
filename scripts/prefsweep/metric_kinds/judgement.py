"""What a judge thinks of an answer next to the base's. Joined to the scores where they are read."""

from prefsweep.metric import Kind
from prefsweep.records.judge import JudgedPair

JUDGED = Kind[JudgedPair, float](needs_judge=True, against_base=True)


@JUDGED.metric("share", "higher", "(wins + ties / 2) / judged prompts; docs/judge.md", rate=True)
def win_rate(pair: JudgedPair) -> float | None:
    """The judge preferred the answer to the base's in both orders; a tie or disagreement is one half."""
    return pair.win_rate
