"""What `judge` hands on: for each prompt, which of two answers was preferred in either order, and what that took."""

from typing import Literal

from prefsweep.records.base import Record

Choice = Literal["first", "second", "tie"]
"""Of the two answers in the order in which the judge read them."""
Outcome = Literal["win", "tie", "loss", "missing"]
"""For the arm, against its opponent."""


class Ballot(Record):
    """The judge's verdict on a pair of answers in one order."""

    choice: Choice | None
    """None where no reply had a verdict."""
    reply: str
    """The judge's last reply, as it came."""
    requests: int
    """That the verdict took, those of earlier calls included."""
    input_tokens: int
    output_tokens: int


class JudgedPair(Record):
    """A row of `judged.jsonl`: one prompt's answer against the opponent's, in both orders.

    Answers that are the same text tie without asking: then there are no ballots.
    """

    prompt: str
    """HeldOutPrompt.id"""
    arm_first: Ballot | None
    opponent_first: Ballot | None

    @property
    def ballots(self) -> list[Ballot]:
        return [ballot for ballot in (self.arm_first, self.opponent_first) if ballot]

    @property
    def outcome(self) -> Outcome:
        """A win is one in both orders; orders that disagree are a tie; one order without a verdict is missing."""
        choices = [ballot.choice for ballot in self.ballots]
        if None in choices:
            return "missing"
        if choices == ["first", "second"]:
            return "win"
        return "loss" if choices == ["second", "first"] else "tie"

    @property
    def win_rate(self) -> float | None:
        """1, ½ or 0 for the arm; None where it is missing."""
        return {"win": 1.0, "tie": 0.5, "loss": 0.0, "missing": None}[self.outcome]


class RivalVerdict(JudgedPair):
    """A row of `rivals/judged.jsonl`: one prompt's answers of two trained runs of the same seed."""

    run: str
    opponent: str


class JudgeServer(Record):
    """The server that a job started to be judged by the study's own model."""

    argv: list[str]
    environment: dict[str, str]
    ready_seconds: float
    """Until it answered."""


class JudgeSession(Record):
    """Who judged, and at what cost. `rivals/judge.json` is no more than that."""

    asked: str
    """A hash of all that decides a verdict but the answers: endpoint or model's files, template, sampling, prompts."""
    served_models: list[str]
    """What the endpoint said it answered with; a name that hides several versions shows them here."""
    new_requests: int
    """Of this job, also about other runs' answers; the others' replies were kept from before."""
    total_seconds: float
    server: JudgeServer | None = None
    """None where somebody else's endpoint was asked, and where every reply was kept from before."""
    versions: dict[str, str]
    """vLLM's is among them where there was a server."""


class JudgeRecord(JudgeSession):
    """`judge.json`: the same, of one run against the base's."""

    run: str
    opponent: str
    """The base's run that was compared with."""
