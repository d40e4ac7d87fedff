"""The judge of a study as its plan keeps it: settings, the template by content, and what judging can take at most."""

from collections.abc import Iterable

from prefsweep.files import sha256_of_json
from prefsweep.records.base import Record
from prefsweep.records.data import Half
from prefsweep.settings import JudgeConfig

_NO_VERDICTS = {
    "template", "rivals", "api_key_env", "concurrency", "timeout_seconds", "max_requests", "max_cost", "price",
}  # fmt: skip
"""Settings that change what judging takes and who else is judged, not what the judge says, and the template's name."""


class JudgeEstimate(Record):
    """Of a whole study: upper bounds, because equal answers are not asked about and replies are rarely that long."""

    requests: int
    """If every reply has a verdict."""
    rival_requests: int = 0
    """Of these, those about two methods' points."""
    input_tokens: int
    output_tokens: int


class PlannedJudge(Record):
    """`evaluate.judge`, resolved."""

    settings: JudgeConfig
    template: str
    """Its file, relative to the project's root when it is below it."""
    template_sha256: str
    estimate: JudgeEstimate | None
    """None until the number of held-out prompts is known."""

    @property
    def asked(self) -> str:
        """A hash of all that decides a verdict but the answers."""
        settings = self.settings.model_dump(exclude=_NO_VERDICTS)
        return sha256_of_json(settings | {"template": self.template_sha256})[:16]

    def judged(self, prompts: Iterable[tuple[str, Half | None]]) -> list[str]:
        """Ids of the prompts that are judged: of each half those with the smallest ids, which are hashes.

        So they are a random sample, the same for every run, and a larger limit keeps all of a smaller one.
        """
        halves: dict[Half, list[str]] = {}
        for name, half in prompts:
            if half is not None:
                halves.setdefault(half, []).append(name)
        return [name for names in halves.values() for name in sorted(names)[: self.settings.prompts]]
