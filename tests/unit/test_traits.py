"""Traits of prepared data: languages by answer, what a rule gives away, and only of rows as they were prepared."""

from pathlib import Path
from typing import Any

import pytest

from prefsweep.failures import StageError
from prefsweep.files import write_json, write_jsonl
from prefsweep.records.base import hashed_files
from prefsweep.traits import traits_of

GERMAN = "Das ist eine wirklich sehr gute Frage, und ich beantworte sie heute gern ausführlich."
ENGLISH = "This is a very good question indeed, and I would like to answer it today in detail."


def row(name: str, **values: Any) -> dict[str, Any]:
    return {"id": name, "cluster": name, "messages": [{"role": "user", "content": ENGLISH}]} | values


def write_data(folder: Path, pairs: list[dict[str, Any]], labelled: list[dict[str, Any]]) -> Path:
    heldout = [
        row(f"h{n}", part="heldout", half=half, chosen=f"{ENGLISH} Truly.", rejected=ENGLISH)
        for n, half in enumerate(("development", "test"))
    ]
    showcase = row("s", part="showcase", half=None, chosen=None, rejected=None)
    for name, rows in {"pairs": pairs, "labelled": labelled, "heldout": [*heldout, showcase]}.items():
        write_jsonl(folder / f"{name}.jsonl", rows)
    write_json(folder / "data.json", {"files": [file.model_dump() for file in hashed_files(folder)]})
    return folder


def test_languages_of_pairs_and_what_they_give_away(tmp_path: Path) -> None:
    pairs = [row(str(n), chosen=GERMAN, rejected=ENGLISH) for n in range(3)]
    traits = traits_of(write_data(tmp_path, pairs, []))
    assert (traits.languages.prompts, traits.languages.chosen, traits.languages.rejected) == (
        {"en": 3}, {"de": 3}, {"en": 3},
    )  # fmt: skip
    assert traits.baselines[0].heldout == traits.baselines[0].test == 1.0
    assert traits.notices == [
        f"“{traits.baselines[0].rule}” alone picks the chosen answer of 100 % of the held-out pairs",
        "chosen answers are mostly in de, rejected ones in en: the language alone can be learnt",
    ]


def test_labelled_rows_count_by_label(tmp_path: Path) -> None:
    rows = [row(str(n), answer=GERMAN if n else ENGLISH, desirable=n > 0) for n in range(3)]
    languages = traits_of(write_data(tmp_path, [], rows)).languages
    assert (languages.sampled_rows, languages.chosen, languages.rejected) == (3, {"de": 2}, {"en": 1})


def test_rows_that_changed_are_not_described(tmp_path: Path) -> None:
    data = write_data(tmp_path, [row("a", chosen=GERMAN, rejected=ENGLISH)], [])
    (data / "heldout.jsonl").write_text("")
    with pytest.raises(StageError, match=r"heldout\.jsonl is not the file that was prepared"):
        traits_of(data)
