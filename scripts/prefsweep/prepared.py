"""Prepared rows, read only as they were prepared: runs of a study may be days apart and must share one data set."""

from pathlib import Path
from typing import Any

from prefsweep.failures import RUNG, StageError
from prefsweep.files import read_jsonl, sha256_of
from prefsweep.records.base import read_document
from prefsweep.records.data import HeldOutPrompt


def prepared_rows(data_directory: Path, name: str) -> list[Any]:
    """The rows of a prepared file. Raises StageError of class `data` when they are not those `data.json` attests to."""
    attested = {file["name"]: file["sha256"] for file in read_document(data_directory / "data.json")["files"]}
    path = data_directory / name
    if sha256_of(path) != attested[name]:
        what = f"{path} is not the file that was prepared: it has changed since, and some runs may have used the former"
        remedy = f"Delete {data_directory} and run the same command again: every run starts anew from one data set."
        raise StageError("data", what, remedy)
    return read_jsonl(path)


def heldout_prompts(data_directory: Path, run: str = "") -> list[HeldOutPrompt]:
    """Held-out and showcase prompts; the development half alone for a run that only screens its point.

    Raises StageError as `prepared_rows` does.
    """
    prompts = [HeldOutPrompt.model_validate(row) for row in prepared_rows(data_directory, "heldout.jsonl")]
    return [prompt for prompt in prompts if prompt.half == "development"] if RUNG in run else prompts
