"""`data.json`: the account of one prepared data set."""

from typing import Literal

from prefsweep.records.base import FileHash, Record
from prefsweep.records.data import Half

TOO_LONG = "longer than max_length"
BEYOND_LIMIT = "beyond limit"
REPEATED = "repeated row"
NEARLY_REPEATED = "nearly repeated row"
OVERLAPPING = "13 words of the prompt are in a training prompt"
NEARLY_KNOWN = "the prompt is nearly a training prompt"
"""Why a row was dropped."""


class Lengths(Record):
    """Of a set of texts, in characters or tokens: mean, percentiles, maximum."""

    mean: float
    p5: float
    p25: float
    p50: float
    p75: float
    p95: float
    p99: float
    longest: int


class AnswerLengths(Record):
    """Chosen against rejected answers, for labelled rows desirable against undesirable ones; None where there are none.

    A method that learns to write longer answers wins where the chosen ones are longer, whatever they say.
    """

    chosen_characters: Lengths | None
    rejected_characters: Lengths | None
    chosen_tokens: Lengths | None
    rejected_tokens: Lengths | None


class HalfCount(Record):
    """One half of the held-out rows."""

    rows: int
    prompts: int
    """Those that nearly repeat one another count as one."""


class DuplicateRows(Record):
    """Training rows that repeat another one."""

    policy: Literal["keep", "drop"]
    exact_rows: int
    """Rows whose whole content occurs earlier."""
    near_rows: int
    """Rows whose prompt and answers nearly repeat those of another row, which is not counted."""
    listed: list[str]
    """The first of them: `FILE:LINE nearly repeats FILE:LINE`."""


class Leakage(Record):
    """What was looked for between training and held-out prompts; `data.json` exists only if none is left."""

    same_prompt: int
    """Held-out rows whose prompt, normalised, is a training prompt."""
    shared_13_grams: int
    """Held-out rows removed because 13 successive words of their prompt are in a training prompt."""
    near_prompts: int
    """Held-out rows removed because their prompt is nearly a training prompt."""
    showcase_in_training: int
    """Shown prompts that some method trained on; they are shown, not scored."""


class DataAudit(Record):
    """What came in, what was kept and why, and what a method could exploit in it."""

    name: str
    source: str
    revision: str
    licence: str | None
    synthetic: bool
    content: Literal["pairs", "labelled", "prompts"]
    formats: list[str]
    """What each file was read as."""
    dropped: dict[str, int]
    """Reason → rows left out on reading because the data set says so, held-out ones included; before `*_rows_in`."""
    max_length: int
    """Tokens of prompt and answer through the chat template; longer rows are dropped for every method."""
    row_tokens: Lengths
    """Of all training rows before any was dropped: prompt and longer answer through the chat template."""
    training_rows_in: int
    """Rows read that were not held out."""
    training_rows: int
    training_dropped: dict[str, int]
    """Reason → rows."""
    training_prompts: int
    desirable_rows: int
    undesirable_rows: int
    """A pair is one of each."""
    heldout_rows_in: int
    heldout_rows: int
    heldout_dropped: dict[str, int]
    heldout_joined_prompts: int
    """Held-out prompts that nearly repeat another one: statistics count both as one, in the same half."""
    halves: dict[Half, HalfCount]
    showcase_prompts: int
    duplicates: DuplicateRows
    leakage: Leakage
    training_lengths: AnswerLengths
    heldout_lengths: AnswerLengths
    files: list[FileHash]
    tokenizer_sha256: str
    chat_template_sha256: str
    notices: list[str]
    """What a reader should know before trusting a comparison on this data."""
