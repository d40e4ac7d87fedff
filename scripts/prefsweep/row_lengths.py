"""How long rows are in the model's tokens, and the limit on how many may be too long to be used."""

from collections.abc import Iterable, Sequence

import numpy

from prefsweep.failures import StageError
from prefsweep.records.audit import Lengths


def summarised(values: Iterable[int]) -> Lengths | None:
    """Mean, percentiles and maximum of these lengths; None when there are none."""
    lengths = numpy.fromiter(values, dtype=numpy.int64)
    if not len(lengths):
        return None
    p5, p25, p50, p75, p95, p99 = (round(float(value), 2) for value in numpy.percentile(lengths, _PERCENTILES))
    mean, longest = round(float(lengths.mean()), 2), int(lengths.max())
    return Lengths(mean=mean, p5=p5, p25=p25, p50=p50, p75=p75, p95=p95, p99=p99, longest=longest)


_PERCENTILES = (5, 25, 50, 75, 95, 99)


def refuse_many_too_long(what: str, tokens: Sequence[int], max_length: int, allowed: float) -> None:
    """Raise StageError of class `data` when more than the allowed share of these rows exceeds `max_length`.

    What would remain is the short rows: another data set than the one that was given.
    """
    too_long = sum(length > max_length for length in tokens)
    lengths = summarised(tokens)
    if lengths is None or too_long <= allowed * len(tokens):
        return
    enough = int(numpy.ceil(numpy.quantile(tokens, 1 - allowed)))
    raise StageError(
        "data",
        f"{too_long:,} of {len(tokens):,} {what} rows ({too_long / len(tokens):.1%}) are longer than max_length "
        f"{max_length:,}, more than max_too_long {allowed:.0%}; tokens of prompt and longer answer: "
        f"50 % ≤ {lengths.p50:,.0f}, 95 % ≤ {lengths.p95:,.0f}, 99 % ≤ {lengths.p99:,.0f}, longest {lengths.longest:,}",
        f"Raise train.max_length (to {enough:,} at least), or shorten the rows; `max_too_long` in the dataset allows "
        "a larger share to be dropped.",
    )
