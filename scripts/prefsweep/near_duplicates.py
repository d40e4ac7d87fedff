"""Texts that are almost the same: MinHash signatures in bands, then the similarity of what shares a band.

Similarity is Jaccard's, |A ∩ B| / |A ∪ B| over sets of five successive characters (Broder 1997, *On the resemblance
and containment of documents*). One hash per shingle fills all bins of a signature (one permutation hashing, Li, Owen
and Zhang 2012, arXiv:1208.1259); an empty bin takes the value of a random filled one (Shrivastava 2017,
arXiv:1703.04664). Two texts of similarity s meet in a band of r bins with probability s^r, in one of b bands with
1 − (1 − s^r)^b (Leskovec, Rajaraman and Ullman, *Mining of Massive Datasets*, 3.4): 99.7 % at s = 0.8 for r = 8,
b = 32. The share of equal bins estimates s; where it leaves a doubt, whole shingle sets are compared. Hashes are fixed,
so the same texts give the same answer everywhere.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
import numpy.typing as npt

SIMILAR = 0.8
"""Similarity from which two texts are near duplicates."""
SHINGLE = 5
SHORTEST = 49
"""Characters from which texts are compared: in a shorter one a single other character already costs more than SIMILAR
allows, (n − 9) / (n + 1) of n characters, so that only changes at its ends would count."""
BANDS, ROWS = 32, 8
_BINS = BANDS * ROWS
_BATCH_CHARACTERS = 1 << 20
_EMPTY = np.uint64(0xFFFFFFFFFFFFFFFF)
_PRIME = np.uint64(0x100000001B3)

Hashes = npt.NDArray[np.uint64]


def groups(texts: Sequence[str]) -> list[int]:
    """For each text the index of the first one of its group: near duplicates, and near duplicates of those.

    Within a band a text is compared with the first and the last before it, so that the work is linear in the texts.
    """
    leader = list(range(len(texts)))

    def root(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    similar = _Similarity(texts)
    for members in similar.bands():
        for position, index in enumerate(members[1:], 1):
            for other in {members[0], members[position - 1]}:
                first, second = sorted((root(index), root(other)))
                if first != second and similar(index, other):
                    leader[second] = first
    return [root(index) for index in range(len(texts))]


def near(texts: Sequence[str], references: Sequence[str], most: int) -> dict[int, list[int]]:
    """Index of a text → the first references, at most `most + 1`, that are near duplicates of it."""
    found: dict[int, set[int]] = {}
    similar, count = _Similarity([*texts, *references]), len(texts)
    for members in similar.bands():
        here = [index for index in members if index < count]
        there = members[len(here) : len(here) + most + 1]
        for index in here:
            known = found.setdefault(index, set())
            if len(known) <= most:
                known |= {other for other in there if other not in known and similar(index, other)}
    return {index: sorted(other - count for other in others)[: most + 1] for index, others in found.items() if others}


class _Similarity:
    """Which of these texts are near duplicates, and which may be: those that share a band of their signatures."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._shingles = lru_cache(maxsize=4096)(lambda index: np.unique(_shingles([texts[index]])[0]))
        self._places = np.array([index for index, text in enumerate(texts) if len(text) >= SHORTEST], dtype=np.int64)
        self._rows = dict(zip(self._places.tolist(), range(len(self._places)), strict=True))
        self._keys = np.zeros((len(self._places), BANDS), dtype=np.uint64)
        self._bytes = np.zeros((len(self._places), _BINS), dtype=np.uint8)
        start = 0
        for batch in _batches([texts[index] for index in self._places]):
            signatures = _signatures(batch)
            rows = slice(start, start + len(batch))
            self._keys[rows], self._bytes[rows] = _band_keys(signatures), signatures.astype(np.uint8)
            start += len(batch)

    def bands(self) -> Iterator[list[int]]:
        """The texts, in order, that share a band of their signatures: two or more at a time."""
        for band in self._keys.T if len(self._places) else ():
            order = np.argsort(band, kind="stable")
            bounds = np.flatnonzero(np.diff(band[order], prepend=~band[order[:1]], append=~band[order[-1:]]))
            several = np.diff(bounds) > 1
            for start, end in zip(bounds[:-1][several], bounds[1:][several], strict=True):
                yield self._places[order[start:end]].tolist()

    def __call__(self, index: int, other: int) -> bool:
        """Whether two texts that share a band are near duplicates.

        Of n independent bins, no more than there are shingles, the share that is equal has the standard deviation
        √(0.8 · 0.2 / n) at SIMILAR: five of them away the estimate decides.
        """
        here, there = self._bytes[self._rows[index]], self._bytes[self._rows[other]]
        estimate = int(np.count_nonzero(here == there)) / _BINS
        doubt = 5 * sqrt(SIMILAR * (1 - SIMILAR) / min(_BINS, len(self.texts[index]), len(self.texts[other])))
        if abs(estimate - SIMILAR) > doubt:
            return estimate > SIMILAR
        return self._exactly(index, other)

    def _exactly(self, index: int, other: int) -> bool:
        left, right = self._shingles(index), self._shingles(other)
        if min(len(left), len(right)) < SIMILAR * max(len(left), len(right)):
            return False
        shared = len(np.intersect1d(left, right, assume_unique=True))
        return bool(shared >= SIMILAR * (len(left) + len(right) - shared))


def _batches(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    start = size = 0
    for index, text in enumerate(texts):
        size += len(text)
        if size >= _BATCH_CHARACTERS or index - start >= 4096:
            yield texts[start : index + 1]
            start, size = index + 1, 0
    if start < len(texts):
        yield texts[start:]


def _signatures(texts: Sequence[str]) -> Hashes:
    """Each text's signature, shape (texts, bins)."""
    hashes, owners = _shingles(texts)
    minima = np.full(len(texts) * _BINS, _EMPTY)
    np.minimum.at(minima, owners * _BINS + (hashes >> np.uint64(32)).astype(np.int64) % _BINS, hashes)
    return _filled(minima.reshape(len(texts), _BINS))


def _band_keys(signatures: Hashes) -> Hashes:
    """A hash of each band of each signature, shape (texts, bands)."""
    banded = signatures.reshape(len(signatures), BANDS, ROWS)
    keys = np.zeros((len(signatures), BANDS), dtype=np.uint64)
    for row in range(ROWS):
        keys = _mixed(keys + banded[:, :, row])
    return keys


def _filled(minima: Hashes) -> Hashes:
    """Signatures whose empty bins hold the value of another bin, tried in an order that depends on the bin alone."""
    filled, attempt = minima.copy(), 0
    rows, bins = np.nonzero(minima == _EMPTY)
    while len(rows):
        attempt += 1
        tried = _mixed(bins.astype(np.uint64) + np.uint64(attempt * _BINS)) % np.uint64(_BINS)
        values = minima[rows, tried.astype(np.int64)]
        filled[rows, bins] = values
        rows, bins = rows[values == _EMPTY], bins[values == _EMPTY]
    return filled


def _shingles(texts: Sequence[str]) -> tuple[Hashes, npt.NDArray[np.int64]]:
    """A hash of every five successive characters of each text, and whose it is."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype=np.uint32).astype(np.uint64)
    owners = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
    count = len(codes) - SHINGLE + 1
    hashes = np.zeros(count, dtype=np.uint64)
    for offset in range(SHINGLE):
        hashes = hashes * _PRIME + codes[offset : offset + count]
    whole = owners[:count] == owners[SHINGLE - 1 :]
    return _mixed(hashes[whole]), owners[:count][whole]


def _mixed(values: Hashes) -> Hashes:
    """Values spread over 64 bits, one to one (the finaliser of SplitMix64, Steele, Lea and Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
