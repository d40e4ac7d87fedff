"""Which rows all methods train on, which prompts they are compared on, and why any other was dropped."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from prefsweep.checking import raise_if_leaking
from prefsweep.dataset import DatasetSpec
from prefsweep.duplicates import Duplicates, find_duplicates
from prefsweep.entries import Entries, Entry
from prefsweep.failures import StageError
from prefsweep.leakage import NEAR, SHARED, find_leaks, joined_clusters
from prefsweep.records.audit import (
    BEYOND_LIMIT,
    NEARLY_KNOWN,
    NEARLY_REPEATED,
    OVERLAPPING,
    REPEATED,
    TOO_LONG,
)
from prefsweep.row_lengths import refuse_many_too_long
from prefsweep.splitting import held_out_clusters


@dataclass
class Side:
    """Training or held-out rows: those that remain, in file order, and per reason how many do not."""

    entries: list[Entry]
    read: list[Entry] = field(init=False)
    """What there was before any row was dropped."""
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.read = self.entries

    def keep(self, condition: Callable[[Entry], bool], reason: str) -> None:
        """Drop the rows that do not meet a condition."""
        kept = [entry for entry in self.entries if condition(entry)]
        if len(kept) < len(self.entries):
            self.dropped[reason] += len(self.entries) - len(kept)
        self.entries = kept

    @property
    def clusters(self) -> set[str]:
        return {entry.cluster for entry in self.entries}


@dataclass(frozen=True)
class Selection:
    """What remains of a data set."""

    training: Side
    heldout: Side
    duplicates: Duplicates
    """Among the training rows that are short enough, whether or not they were dropped."""
    joined: frozenset[str]
    """Clusters of held-out prompts that nearly repeat another one, whose cluster they are in now."""


def select(entries: Entries, spec: DatasetSpec, row_tokens: Mapping[str, int], max_length: int) -> Selection:
    """Split if there is no held-out file, drop what is too long or leaks, and apply the limit.

    `row_tokens` gives each row's length by its id. No decision depends on the order of rows. Raises StageError of
    class `data` when too many rows are too long, when held-out prompts of a file of their own leak into training, or
    when too little remains.
    """
    training, heldout = split(entries, spec.heldout_fraction)
    heldout.keep(lambda entry: not entry.repeated, REPEATED)
    for side, what in ((training, "training"), (heldout, "held-out")):
        tokens = [row_tokens[entry.id] for entry in side.entries]
        refuse_many_too_long(what, tokens, max_length, spec.max_too_long)
        side.keep(lambda entry: row_tokens[entry.id] <= max_length, TOO_LONG)
    duplicates = find_duplicates(training.entries)
    if spec.duplicates == "drop":
        training.keep(lambda entry: entry.id not in duplicates.exact, REPEATED)
        training.keep(lambda entry: entry.id not in duplicates.near, NEARLY_REPEATED)
    _separate(training, heldout, own_file=bool(entries.heldout))
    joined = joined_clusters(training.entries, heldout.entries)
    heldout.entries = [replace(entry, cluster=joined.get(entry.cluster, entry.cluster)) for entry in heldout.entries]
    if spec.limit is not None:
        chosen = set(sorted(entry.id for entry in training.entries)[: spec.limit])
        training.keep(lambda entry: entry.id in chosen, BEYOND_LIMIT)
    _require_enough(training, heldout, max_length)
    return Selection(training, heldout, duplicates, frozenset(joined))


def split(entries: Entries, fraction: float) -> tuple[Side, Side]:
    """Training and held-out rows: the files', or a share of the prompts held out."""
    if entries.heldout:
        return Side(entries.training), Side(entries.heldout)
    reserved = held_out_clusters([entry.cluster for entry in entries.training], fraction)
    return (
        Side([entry for entry in entries.training if entry.cluster not in reserved]),
        Side([entry for entry in entries.training if entry.cluster in reserved]),
    )


def _separate(training: Side, heldout: Side, own_file: bool) -> None:
    """Let no held-out prompt be known from training: an error for a file of its own, else it is dropped."""
    leaks = find_leaks(training.entries, heldout.entries)
    if own_file:
        raise_if_leaking([str(leak) for leak in leaks])
    for how, reason in ((SHARED, OVERLAPPING), (NEAR, NEARLY_KNOWN)):
        known = {leak.heldout.cluster for leak in leaks if leak.how == how}
        heldout.keep(lambda entry, known=known: entry.cluster not in known, reason)  # type: ignore[misc]


def _require_enough(training: Side, heldout: Side, max_length: int) -> None:
    labels = {entry.example.desirable for entry in training.entries}
    reasons = f"dropped: {_listed(training)}; held-out dropped: {_listed(heldout)}"
    remedy = f"Add rows, or raise train.max_length (now {max_length} tokens)."
    if labels not in ({None}, {True, False}):
        raise StageError("data", f"no training rows of every kind remain ({reasons})", remedy)
    if len(heldout.clusters) < 2:
        raise StageError("data", f"fewer than two held-out prompts remain ({reasons})", remedy)
    if all(entry.example.desirable is False for entry in heldout.entries):
        raise StageError("data", f"no held-out prompt with a desirable answer remains ({reasons})", remedy)


def _listed(side: Side) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in side.dropped.items()) or "none"
