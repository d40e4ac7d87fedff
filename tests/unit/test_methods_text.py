"""The methods section: true to the records, cited from entries that exist, inert, shorter where less was run."""

import re
from pathlib import Path

import pytest

from compare import compared
from prefsweep.bibliography import bibliography, citation, keys_of, load_references
from prefsweep.methods import load_methods
from prefsweep.methods_text import CATALOGUE, REFERENCES, methods_text
from prefsweep.results import read_study
from tests.example_study import Shape, build_study

ENTRIES = load_references(REFERENCES)
METHODS = load_methods(CATALOGUE / "methods")


def _text(folder: Path, shape: Shape) -> str:
    study = read_study(build_study(folder, shape))
    return "\n\n".join(methods_text(study, compared(study), ENTRIES))


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    shape = Shape(methods=("dpo", "kto"), seeds=(0, 1), variants=2, heldout=8, showcase=1, steps=5)
    return _text(tmp_path_factory.mktemp("text"), shape)


@pytest.mark.parametrize(
    "said",
    [
        "smollm2-135m-instruct (a wheel, revision 0123456789ab)",
        "emoji-en (data/emoji-en.jsonl, revision 0123456789ab, synthetic)",
        "the same 160 of 168 pairs; left out: 8 (longer than max\\_length)",
        "4 to choose hyperparameters by and 4 for every result",
        "compared with 4 points of 2 methods",
        "(`dpo`) [@rafailov2023direct], 2 points with learning rate of 0.0002 or 0.0004; the first: `−log σ(",
        "- Kahneman-Tversky Optimization (`kto`) [@ethayarajh2024kto], 2 points",
        "LoRA [@hu2021lora] by ms-swift 4.6.0 [@zhao2024swift], with each of the seeds 0 and 1",
        "rank 8, passes over the rows: 1, peak learning rate 0.0002 or 0.0004",
        "A run took 5 optimiser steps and 288 sequences.",
        "served by vLLM 0.32.0 [@kwon2023efficient] in bfloat16",
        "greedily, with at most 128 tokens",
        "The divergence from the base was summed over the whole vocabulary along each answer.",
        "crossed bootstrap over seeds and prompts [@owen2007pigeonhole] with 2,000 draws",
        "for rates Wilson's [@wilson1927probable]",
        "adjusted by Holm [@holm1979simple] over 4 points",
        "its adjusted p is below 5 %, the difference at least 2.0 pp and its sign the same in 80 % of the seeds",
        "two one-sided tests [@schuirmann1987comparison] show it within ±2.0 pp",
        "Of 9 runs, 9 finished.",
        "torch 2.13.0",
    ],
)
def test_what_was_run_is_said(text: str, said: str) -> None:
    assert said in text


def test_everything_cited_is_in_the_bibliography_and_nothing_else(text: str) -> None:
    cited = set(re.findall(r"@([a-z0-9]+)", text))
    found = re.findall(r"^@\w+\{([a-z0-9]+),", bibliography(text, ENTRIES), re.MULTILINE)
    assert len(found) == len(set(found))
    assert set(found) == cited
    assert {"rafailov2023direct", "ethayarajh2024kto"} < cited
    assert "meng2024simpo" not in cited


@pytest.mark.parametrize("name", METHODS)
def test_the_paper_of_every_method_has_one_entry_by_its_first_author_and_year(name: str) -> None:
    paper = METHODS[name].paper
    [key] = keys_of(paper, ENTRIES)
    author, year = re.match(r"([\w'-]+).*?(\d{4})", paper).groups()  # type: ignore[union-attr]
    fields = dict(re.findall(r"^  (\w+) = \{(.*)\},?$", ENTRIES[key], re.MULTILINE))
    assert fields["author"].startswith(f"{author},")
    assert fields["year"] == year


@pytest.mark.parametrize("key", ENTRIES)
def test_an_entry_is_whole(key: str) -> None:
    entry = ENTRIES[key]
    assert {"title", "author", "year"} <= set(re.findall(r"^  (\w+) = \{", entry, re.MULTILINE))
    assert entry.count("{") == entry.count("}")


def test_every_entry_of_the_file_is_read_and_a_key_that_occurs_twice_is_an_error(tmp_path: Path) -> None:
    text = REFERENCES.read_text()
    assert len(re.findall(r"^@", text, re.MULTILINE)) == len(ENTRIES)
    twice = tmp_path / "references.bib"
    twice.write_text(text + text)
    with pytest.raises(ValueError, match=r"references\.bib: two entries are called rafailov2023direct"):
        load_references(twice)


def test_a_method_that_is_not_in_the_catalogue_has_its_objective() -> None:
    assert citation([]) == ""
    assert keys_of("somebody 2030, a talk", ENTRIES) == []


def test_what_was_not_run_is_not_said(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), heldout=6, showcase=0, unfinished=("base", "dpo"), failed=("kto",))
    text = _text(tmp_path, shape)
    assert not any(word in text for word in ("LoRA", "vLLM", "Harness", "Snakemake"))
    assert "Of 3 runs, 1 failed and 2 unfinished." in text


def test_foreign_text_formats_nothing(tmp_path: Path) -> None:
    hostile = "<img src=x> [l](javascript:x) *b* `c` $x$ @hu2021lora"
    text = _text(
        tmp_path, Shape(methods=("dpo",), heldout=6, showcase=0, steps=3, text=lambda text: f"{text} {hostile}")
    )
    outside_code = re.sub(r"`[^`]*`", "", text.replace("\\`", ""))
    assert "<img" not in outside_code
    assert not re.search(r"(?<!\\)[*$]", outside_code)
    assert not re.search(r"(?<!\\)\[(?!@)", outside_code)
