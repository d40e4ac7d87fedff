"""`data/traits.json`: what in a prepared data set can be learnt without understanding it."""

from prefsweep.records.base import Record


class Languages(Record):
    """Language → texts of a sample of training rows, by ISO 639-1 code; `und` where it could not be told."""

    sampled_rows: int
    """Those with the smallest ids, which are hashes: a random sample, the same every time."""
    prompts: dict[str, int]
    chosen: dict[str, int]
    """Desirable answers, where rows are labelled one by one; `rejected`, undesirable ones."""
    rejected: dict[str, int]


class BaselineAccuracy(Record):
    """How often a rule that needs no model picks the chosen answer; a tie counts one half."""

    rule: str
    heldout: float
    """Share of all held-out pairs."""
    test: float
    """Share of the pairs of the test half, which the methods are reported on."""


class DataTraits(Record):
    """Apart from the audit, because how traits are measured must not decide what is prepared and trained."""

    languages: Languages
    baselines: list[BaselineAccuracy]
    """Best first; empty without held-out pairs."""
    notices: list[str]
    """What a reader should know before trusting a comparison on this data."""
