"""Traits of prepared data: languages by answer, what a rule gives away, and only of rows as they were prepared."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prefsweep.failures import StageError
from prefsweep.files import write_json, write_jsonl
from prefsweep.records.base import hashed_files
from prefsweep.records.traits import DataTraits, LabelWeights
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


def described(data: Path, weights: Sequence[LabelWeights] = ()) -> DataTraits:
    return traits_of(data, [], data, weights)


def test_languages_of_pairs_and_what_they_give_away(tmp_path: Path) -> None:
    pairs = [row(str(n), chosen=GERMAN, rejected=ENGLISH) for n in range(3)]
    traits = described(write_data(tmp_path, pairs, []))
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
    languages = described(write_data(tmp_path, [], rows)).languages
    assert (languages.sampled_rows, languages.chosen, languages.rejected) == (3, {"de": 2}, {"en": 1})


def test_weights_are_held_against_the_labels_that_were_kept(tmp_path: Path) -> None:
    rows = [row(str(n), answer=ENGLISH, desirable=n < 3) for n in range(6)]
    kto = LabelWeights(method="kto", desirable=1.0, undesirable=1.0, published=(1, 4 / 3), source="KTO")
    twice = kto.model_copy(update={"undesirable": 2.0})
    found = described(write_data(tmp_path / "labelled", [], rows), [kto, twice])
    assert [balance.ratio for balance in found.balances] == [1.0, 0.5]
    assert found.notices[-1] == (
        "kto: λ_D·n_D / (λ_U·n_U) is 0.5 with 3 desirable and 3 undesirable rows, outside the published 1–1.33 (KTO)."
    )
    pairs = [row("a", chosen=ENGLISH, rejected=GERMAN)]
    assert described(write_data(tmp_path / "pairs", pairs, []), [kto]).balances == []


def test_documents_in_training_are_a_notice(tmp_path: Path) -> None:
    (tmp_path / "own.jsonl").write_text(json.dumps({"q": ENGLISH}))
    (tmp_path / "own.yaml").write_text("dataset_path: json\ndataset_kwargs: {data_files: own.jsonl}\n")
    data = write_data(tmp_path / "data", [row("a", chosen=GERMAN, rejected=ENGLISH)], [])
    found = traits_of(data, [str(tmp_path / "own.yaml")], tmp_path, [])
    assert "1 benchmark documents share 13 words with rows that are trained on" in found.notices


def test_rows_that_changed_are_not_described(tmp_path: Path) -> None:
    data = write_data(tmp_path, [row("a", chosen=GERMAN, rejected=ENGLISH)], [])
    (data / "heldout.jsonl").write_text("")
    with pytest.raises(StageError, match=r"heldout\.jsonl is not the file that was prepared"):
        described(data)
