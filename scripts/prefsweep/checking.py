"""A data set checked before any job starts: every row, as a stream, without model or tokenizer."""

from array import array
from collections.abc import Iterable
from pathlib import Path

from prefsweep.dataset import DatasetSpec, present_files
from prefsweep.entries import content_of, heldout_readings, read_showcase, training_readings
from prefsweep.failures import StageError
from prefsweep.formats import Content
from prefsweep.records.base import Record
from prefsweep.rows import SHOWN, Problems
from prefsweep.splitting import cluster_of, held_out_clusters


class DatasetCounts(Record):
    """What a data set holds before its rows are filtered by length."""

    content: Content
    """`pairs`, or `labelled`: then only methods that learn from labels can train on it."""
    rows: int
    """Training rows: those not held out, `limit` at most."""
    heldout_rows: int
    clusters: int
    """Distinct prompts among the training rows."""
    heldout_clusters: int
    has_pairs: bool
    """Whether what is held out are pairs, on which preferences can be measured."""
    labels: dict[bool, int]
    """Desirable and undesirable answers among the training rows; a pair is one of each. In proportion under `limit`."""
    explanations: list[str]
    """What each file was read as."""


def check_dataset(spec: DatasetSpec, downloads: Path) -> DatasetCounts | None:
    """Check every row of a data set and count what a study would train on and test on.

    None for a hub's data set that is not below `downloads` yet: `prepare` fetches and checks it. Memory is
    that of one row, a number per row, and the held-out prompts. Raises StageError of class `data` that names
    every problem's file, line and remedy.
    """
    files = present_files(spec, downloads)
    if files is None:
        return None
    problems = Problems()
    training, heldout = training_readings(spec, files, problems), heldout_readings(spec, files, problems)
    places: dict[int, str] = {}
    for reading in heldout:
        for row in reading:
            places.setdefault(_number(cluster_of(row.messages)), f"{reading.path}:{row.line}")
    trained, undesirable = array("Q"), array("Q")
    leaks: list[str] = []
    for reading in training:
        for row in reading:
            cluster = _number(cluster_of(row.messages))
            trained.append(cluster)
            if row.desirable is False:
                undesirable.append(cluster)
            if cluster in places:
                leaks.append(f"{places[cluster]} has the prompt of {reading.path}:{row.line}")
    read_showcase(spec, files, problems)
    problems.raise_if_any()
    content = content_of(training)
    raise_if_leaking(leaks)
    reserved = set(places) or _chosen(trained, spec.heldout_fraction)
    split_off = sum(number in reserved for number in trained)
    rows = len(trained) - split_off
    kept = rows if spec.limit is None else min(spec.limit, rows)
    labels = {True: kept, False: kept}
    if content == "labelled":
        bad = sum(number not in reserved for number in undesirable)
        _require_both_labels(bad, rows)
        bad = round(bad * kept / rows)
        labels = {True: kept - bad, False: bad}
    return DatasetCounts(
        content=content,
        rows=kept,
        heldout_rows=split_off + sum(reading.rows for reading in heldout),
        clusters=len(set(trained) - reserved),
        heldout_clusters=len(reserved),
        has_pairs=bool(heldout) or content == "pairs",
        labels=labels,
        explanations=[reading.explanation for reading in [*training, *heldout]],
    )


def _require_both_labels(undesirable: int, rows: int) -> None:
    if undesirable in (0, rows):
        what = f"the {rows:,} training rows that remain when prompts are held out all have one label"
        raise StageError("data", what, "Add rows of the other label, or lower heldout_fraction.")


def _chosen(clusters: Iterable[int], fraction: float) -> set[int]:
    return {_number(name) for name in held_out_clusters({f"{number:012x}" for number in clusters}, fraction)}


def raise_if_leaking(
    leaks: list[str],
    what: str = "held-out prompts",
    remedy: str = "Remove these prompts from the training or from the held-out file.",
) -> None:
    """Raise StageError of class `data` listing what training would give away, if there is anything."""
    if leaks:
        more = [f"… and {len(leaks) - SHOWN} more"] if len(leaks) > SHOWN else []
        listed = "".join(f"\n  {leak}" for leak in [*leaks[:SHOWN], *more])
        raise StageError("data", f"{len(leaks)} {what} leak into training:{listed}", remedy)


def _number(cluster: str) -> int:
    return int(cluster, 16)
