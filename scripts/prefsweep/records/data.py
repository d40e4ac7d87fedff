"""What `prepare` hands on: the canonical rows, one form for each use."""

from typing import Literal

from prefsweep.records.base import Record

Half = Literal["development", "test"]
Part = Literal["heldout", "showcase"]


class Pair(Record):
    """A preference pair: the same prompt, a preferred and a dispreferred answer.

    `id` is a hash of the content; `cluster` groups pairs that share a prompt, the unit of splitting and resampling.
    """

    id: str
    cluster: str
    messages: list[dict[str, str]]
    """The prompt: chat turns with `role` and `content`, the last one a user's."""
    chosen: str
    rejected: str


class LabelledRow(Record):
    """An answer judged on its own, the form KTO trains on."""

    id: str
    cluster: str
    messages: list[dict[str, str]]
    answer: str
    desirable: bool


class HeldOutPrompt(Record):
    """A prompt no method trains on. Showcase prompts are shown side by side and never scored against a reference.

    A row of a pair has both answers; a prompt held out of rows labelled one by one has a desirable answer as `chosen`,
    an undesirable one as `rejected`, or only one of them.
    """

    id: str
    cluster: str
    part: Part
    half: Half | None
    """Hyperparameters are chosen on `development`, results reported on `test`; None for showcase prompts."""
    messages: list[dict[str, str]]
    chosen: str | None
    rejected: str | None
