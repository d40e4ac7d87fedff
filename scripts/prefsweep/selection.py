"""Which rows all methods train on, which prompts they are compared on, and why any other was dropped."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from prefsweep.checking import raise_if_leaking
from prefsweep.entries import Entries, Entry
from prefsweep.failures import StageError
from prefsweep.splitting import held_out_clusters, normalised_prompt, overlapping

TOO_LONG = "longer than max_length"
BEYOND_LIMIT = "beyond limit"
REPEATED = "repeated row"
OVERLAPPING = "13 words of the prompt are in a training prompt"


@dataclass
class Side:
    """Training or held-out rows: those that remain, in file order, and per reason how many do not."""

    entries: list[Entry]
    rows_in: int = field(init=False)
    dropped: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.rows_in = len(self.entries)

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


def select(
    entries: Entries, fraction: float, limit: int | None, row_tokens: Mapping[str, int], max_length: int
) -> Selection:
    """Split if there is no held-out file, drop what is too long or leaks, and apply the limit.

    `row_tokens` gives each row's length by its id. Raises StageError of class `data` when held-out prompts of
    a file of their own leak into training, or when too little remains.
    """
    selection = _split(entries, fraction)
    training, heldout = selection.training, selection.heldout
    heldout.keep(lambda entry: not entry.repeated, REPEATED)
    for side in (training, heldout):
        side.keep(lambda entry: row_tokens[entry.id] <= max_length, TOO_LONG)
    _separate(selection, own_file=bool(entries.heldout))
    if limit is not None:
        chosen = set(sorted(entry.id for entry in training.entries)[:limit])
        training.keep(lambda entry: entry.id in chosen, BEYOND_LIMIT)
    _require_enough(selection, max_length)
    return selection


def _split(entries: Entries, fraction: float) -> Selection:
    if entries.heldout:
        return Selection(Side(entries.training), Side(entries.heldout))
    reserved = held_out_clusters([entry.cluster for entry in entries.training], fraction)
    return Selection(
        Side([entry for entry in entries.training if entry.cluster not in reserved]),
        Side([entry for entry in entries.training if entry.cluster in reserved]),
    )


def _separate(selection: Selection, own_file: bool) -> None:
    """Let no held-out prompt be known from training: an error for a file of its own, else it is dropped."""
    trained = {entry.cluster: entry for entry in reversed(selection.training.entries)}
    reserved = {entry.cluster: entry for entry in reversed(selection.heldout.entries)}
    same = [(reserved[cluster], trained[cluster]) for cluster in reserved if cluster in trained]
    raise_if_leaking([f"{ours.place} has the prompt of {theirs.place}" for ours, theirs in same])
    overlaps = overlapping(
        [normalised_prompt(entry.example.messages) for entry in trained.values()],
        [normalised_prompt(entry.example.messages) for entry in reserved.values()],
    )
    ours, theirs = list(reserved.values()), list(trained.values())
    if own_file:
        raise_if_leaking(
            [f"{ours[i].place} shares 13 words with {theirs[j].place}" for i, j in sorted(overlaps.items())]
        )
    known = {ours[index].cluster for index in overlaps}
    selection.heldout.keep(lambda entry: entry.cluster not in known, OVERLAPPING)


def _require_enough(selection: Selection, max_length: int) -> None:
    labels = {entry.example.desirable for entry in selection.training.entries}
    reasons = f"dropped: {_listed(selection.training)}; held-out dropped: {_listed(selection.heldout)}"
    remedy = f"Add rows, or raise train.max_length (now {max_length} tokens)."
    if labels not in ({None}, {True, False}):
        raise StageError("data", f"no training rows of every kind remain ({reasons})", remedy)
    if len(selection.heldout.clusters) < 2:
        raise StageError("data", f"fewer than two held-out prompts remain ({reasons})", remedy)


def _listed(side: Side) -> str:
    return ", ".join(f"{count} {reason}" for reason, count in side.dropped.items()) or "none"
