"""Rows of Parquet, a batch at a time."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow
from pyarrow.parquet import ParquetFile

from prefsweep.failures import StageError
from prefsweep.json_rows import printable
from prefsweep.rows import Problems, Row

_BATCH_ROWS = 256


def parquet_rows(path: Path, problems: Problems, progress: Callable[[int], None] | None) -> Iterator[Row]:
    """The rows numbered from 1, structs as dictionaries. Raises StageError of class `data` for a damaged file."""
    number = 0
    try:
        with ParquetFile(path, memory_map=True) as file:
            share = path.stat().st_size / max(1, file.metadata.num_rows)
            for batch in file.iter_batches(_BATCH_ROWS):
                for row in batch.to_pylist():
                    number += 1
                    if printable(row):
                        yield number, row
                    else:
                        problems.add("unprintable text", path, number, "a NUL or unpaired surrogate")
                if progress:
                    progress(round(share * batch.num_rows))
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        what = f"{path}: damaged Parquet file after row {number:,} ({str(error).splitlines()[0]})"
        raise StageError("data", what, "Copy or write the file again.") from error
