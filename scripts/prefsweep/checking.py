"""A data set checked before any job starts: every row, as a stream, without model or tokenizer."""

from array import array
from contextlib import suppress
from pathlib import Path

from prefsweep.containers import Progress
from prefsweep.data_files import DatasetFiles, present_files
from prefsweep.dataset import DatasetSpec
from prefsweep.entries import (
    content_of,
    dropped_rows,
    explained,
    heldout_readings,
    read_showcase,
    require_both_labels,
    training_readings,
)
from prefsweep.failures import StageError
from prefsweep.files import sha256_of_json
from prefsweep.formats import Content
from prefsweep.progress import shown
from prefsweep.records.base import Record
from prefsweep.rows import SHOWN, Problems
from prefsweep.splitting import cluster_of, held_out_clusters
from prefsweep.wording import count


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
    dropped: dict[str, int]
    """Reason → rows left out because the data set says so, held-out ones included."""
    sequence_bytes: float
    """UTF-8 bytes of a prompt with an answer, on average over all training answers: what tokens are estimated from."""

    @property
    def notices(self) -> list[str]:
        """What a reader of the plan should know about the rows."""
        return [f"{count(rows, 'row')} dropped: {reason}." for reason, rows in self.dropped.items()]


LARGE_BYTES = 50_000_000
"""From here on checking takes long enough, half a second, to be worth remembering."""


def check_once(spec: DatasetSpec, downloads: Path, revision: str, code: str) -> DatasetCounts | None:
    """`check_dataset`, whose result for large files is kept below `downloads`.

    `revision` is the data's `source_revision`, `code` anything that changes when the code that checks does. A
    change of either, or of a file's path, size or time, checks again. Problems are never remembered.
    """
    files = present_files(spec, downloads)
    sizes = {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files.all} if files else {}
    if sum(size for size, _ in sizes.values()) < LARGE_BYTES:
        return check_dataset(spec, downloads)
    kept = downloads / "checked" / f"{sha256_of_json([revision, code, sizes])[:16]}.json"
    with suppress(FileNotFoundError, ValueError):
        return DatasetCounts.read(kept)
    counts = check_dataset(spec, downloads)
    if counts:
        with suppress(OSError):  # where nothing can be written, checking again costs nothing but time
            counts.write(kept)
    return counts


def check_dataset(spec: DatasetSpec, downloads: Path) -> DatasetCounts | None:
    """Check every row of a data set and count what a study would train on and test on.

    None for a hub's data set that is not below `downloads` yet: `prepare` fetches and checks it. Memory is
    that of one row, a number per row, and the held-out prompts. Raises StageError of class `data` that names
    every problem's file, line and remedy.
    """
    files = present_files(spec, downloads)
    if files is None:
        return None
    with shown(f"checking {spec.name}", sum(path.stat().st_size for path in files.all)) as progress:
        return _checked(spec, files, progress)


def _checked(spec: DatasetSpec, files: DatasetFiles, progress: Progress | None) -> DatasetCounts:
    problems = Problems()
    training = training_readings(spec, files, problems, progress)
    heldout = heldout_readings(spec, files, problems, progress)
    places: dict[int, str] = {}
    for reading in heldout:
        for row in reading:
            places.setdefault(_number(cluster_of(row.messages)), f"{reading.path}:{row.line}")
    trained, undesirable = array("Q"), array("Q")
    sequences, text_bytes = 0, 0
    leaks: list[str] = []
    for reading in training:
        for row in reading:
            cluster = _number(cluster_of(row.messages))
            trained.append(cluster)
            answers = [answer for answer in (row.answer, row.rejected) if answer is not None]
            sequences += len(answers)
            asked = sum(len(turn["content"].encode()) for turn in row.messages)
            text_bytes += asked * len(answers) + sum(len(answer.encode()) for answer in answers)
            if row.desirable is False:
                undesirable.append(cluster)
            if cluster in places:
                leaks.append(f"{places[cluster]} has the prompt of {reading.path}:{row.line}")
    read_showcase(spec, files, problems)
    require_both_labels(training, problems)
    problems.raise_if_any()
    content = content_of(training)
    raise_if_leaking(leaks)
    if not trained:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped_rows(training).items())
        raise StageError("data", f"no training rows remain (dropped: {reasons})", "Correct `policies` or `ratings`.")
    prompts = set(trained)
    reserved = set(places) or held_out_clusters(prompts, spec.heldout_fraction)
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
        heldout_rows=split_off + sum(reading.kept for reading in heldout),
        clusters=sum(number not in reserved for number in prompts),
        heldout_clusters=len(reserved),
        has_pairs=bool(heldout) or content == "pairs",
        labels=labels,
        explanations=explained(training) + explained(heldout),
        dropped=dropped_rows([*training, *heldout]),
        sequence_bytes=text_bytes / sequences,
    )


def _require_both_labels(undesirable: int, rows: int) -> None:
    if undesirable in (0, rows):
        what = f"the {rows:,} training rows that remain when prompts are held out all have one label"
        raise StageError("data", what, "Add rows of the other label, or lower heldout_fraction.")


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
