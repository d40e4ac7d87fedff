"""The judge of a study as its plan keeps it: settings, the template by content, and what judging can take at most."""

from collections.abc import Iterable
from pathlib import Path

from prefsweep.files import sha256_of_json
from prefsweep.records.base import Record
from prefsweep.records.data import Half
from prefsweep.settings import JudgeConfig, Precision

SERVED_AS = "judge"
"""What a judge is called by the server that the study starts: kept replies do not depend on a model's name."""
_NO_VERDICTS = {
    "template", "rivals", "api_key_env", "concurrency", "timeout_seconds", "max_requests", "max_cost", "price", "serve",
    "precision",
}  # fmt: skip
"""Settings that change what judging takes and who else is judged, not what the judge says, and names: of the template,
and of a served model, which counts by content."""


class JudgeEstimate(Record):
    """Of a whole study: upper bounds, because equal answers are not asked about and replies are rarely that long."""

    requests: int
    """If every reply has a verdict."""
    rival_requests: int = 0
    """Of these, those about two methods' points."""
    input_tokens: int
    output_tokens: int
    seconds: float | None = None
    """Of a judge that the study serves, a first guess; None of an endpoint, and while the model's size is unknown."""
    gpus: int = 0
    """That serve it meanwhile."""


class ServedJudge(Record):
    """The model that the study serves as its judge, resolved."""

    name: str
    source: str
    directory: str
    """Where its files are, relative to the project's root when they are below it."""
    fetched: bool
    """Whether they were put there by a fetch, with a manifest; else they are the user's."""
    revision: str
    """What pins its content: a hub revision or a SHA-256."""
    content: str
    """A SHA-256 of what decides its files, wherever they are and whatever the model is called."""
    precision: Precision
    """Of the served weights."""

    def folder(self, root: Path) -> Path:
        """Where its files are on a machine that has the project at `root`."""
        return (root / self.directory).resolve()


class PlannedJudge(Record):
    """`evaluate.judge`, resolved."""

    settings: JudgeConfig
    template: str
    """Its file, relative to the project's root when it is below it."""
    template_sha256: str
    served: ServedJudge | None = None
    """None of an endpoint that somebody else runs."""
    estimate: JudgeEstimate | None
    """None until the number of held-out prompts is known."""

    @property
    def name(self) -> str:
        """The model's, for people."""
        return self.served.name if self.served else str(self.settings.model)

    @property
    def described(self) -> str:
        """Who it is and where, for people."""
        if self.served is None:
            return f"{self.name} at {self.settings.url}"
        return f"{self.name} ({self.served.source}), served by the study in {self.served.precision}"

    @property
    def model(self) -> str:
        """The name by which it is asked."""
        return SERVED_AS if self.served else str(self.settings.model)

    @property
    def identity(self) -> dict[str, str]:
        """Which judge it is, beside what it is asked: kept replies are those of this one."""
        if self.served is None:
            return {"url": str(self.settings.url)}
        return {"served": self.served.content, "precision": self.served.precision}

    @property
    def asked(self) -> str:
        """A hash of all that decides a verdict but the answers."""
        settings = self.settings.model_dump(exclude=_NO_VERDICTS)
        served = self.identity if self.served else {}
        return sha256_of_json(settings | {"template": self.template_sha256} | served)[:16]

    def judged(self, prompts: Iterable[tuple[str, Half | None]]) -> list[str]:
        """Ids of the prompts that are judged: of each half those with the smallest ids, which are hashes.

        So they are a random sample, the same for every run, and a larger limit keeps all of a smaller one.
        """
        halves: dict[Half, list[str]] = {}
        for name, half in prompts:
            if half is not None:
                halves.setdefault(half, []).append(name)
        return [name for names in halves.values() for name in sorted(names)[: self.settings.prompts]]
