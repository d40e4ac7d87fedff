"""`data/traits.json`: what in a prepared data set can be learnt without understanding it."""

from prefsweep.records.base import FileHash, Record


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


class BenchmarkDocuments(Record):
    """What was compared of the documents that tasks evaluate on with the rows that are trained on."""

    files: list[FileHash]
    """The documents' files as they were compared, named as their task files name them."""
    documents: int
    overlaps: int
    """Documents that share 13 successive words with a training prompt or an answer that is trained towards."""
    listed: list[str]
    """The first of them: `FILE:LINE shares 13 words with the prompt of row ID`."""
    not_compared: list[str]
    """Tasks whose documents are not on this machine but a hub's."""


class LabelWeights(Record):
    """How a method weighs desirable against undesirable rows, and where their weighted ratio should be."""

    method: str
    desirable: float
    undesirable: float
    published: tuple[float, float]
    source: str


class LabelBalance(Record):
    """λ_D·n_D / (λ_U·n_U) of the rows that are trained on: those left by the length filter and by `limit`."""

    weights: LabelWeights
    desirable_rows: int
    undesirable_rows: int
    ratio: float


class DataTraits(Record):
    """Apart from the audit, because how traits are measured must not decide what is prepared and trained.

    So another task or weight is held against the prepared rows without preparing, and then training, anything again.
    """

    languages: Languages
    baselines: list[BaselineAccuracy]
    """Best first; empty without held-out pairs."""
    benchmarks: BenchmarkDocuments
    balances: list[LabelBalance]
    """One for each way a method weighs labels; empty for pairs: there both kinds are equally many."""
    notices: list[str]
    """What a reader should know before trusting a comparison on this data."""
