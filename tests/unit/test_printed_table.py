"""The table to print: every point once, what it rests on in the caption, foreign text inert in both forms."""

import re
from pathlib import Path

import pytest

from compare import compared
from prefsweep.comparison import Comparison
from prefsweep.printed_table import caption, latex_table, markdown_table
from prefsweep.results import StudyResults, read_study
from prefsweep.wording import signed
from tests.example_study import Shape, build_study

HOSTILE = r'"100%_$x$ & #1 {a} ~b^2 \input{/etc/passwd} <img src=x> | [l](javascript:x) `c` *d*' + "\nβ=0.1 \u202e"


def _compared(folder: Path, shape: Shape) -> tuple[StudyResults, Comparison]:
    study = read_study(build_study(folder, shape))
    return study, compared(study)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyResults, Comparison]:
    shape = Shape(methods=("dpo", "simpo", "kto"), heldout=12, showcase=1, steps=4, failed=("kto",))
    return _compared(tmp_path_factory.mktemp("study"), shape)


def test_markdown_has_a_row_per_point_with_its_numbers(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    text = markdown_table(study, comparison)
    head, *rows = [line for line in text.splitlines() if line.startswith("| ") and "---" not in line]
    assert len({line.count(" | ") for line in (head, *rows)}) == 1
    assert len(rows) == len(study.plan.points)
    dpo = comparison.point("dpo-00000000")
    difference = dpo.metrics["preference_accuracy"].difference
    assert difference is not None
    [row] = [row for row in rows if row.startswith("| dpo")]
    assert signed(difference.estimate, "share") in row
    assert f"| {dpo.verdict} | 1 of 1 |" in row
    [failed] = [row for row in rows if row.startswith("| kto")]
    assert "| – | – | – |" in failed
    assert "| failed | 0 of 1 |" in failed


def test_the_caption_says_what_the_numbers_rest_on(example: tuple[StudyResults, Comparison]) -> None:
    study, comparison = example
    text = caption(study, comparison)
    assert f"{comparison.test_prompts} test prompts of emoji-en, seed 0." in text
    assert "Holm over 3 points" in text
    assert "1 failed" in text
    assert text.endswith("One seed tells about this checkpoint, not about the method.")


def test_latex_is_a_booktabs_table_without_a_stray_command(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=6, showcase=1, steps=3, text=lambda text: f"{text} {HOSTILE}")
    text = latex_table(*_compared(tmp_path, shape))
    assert [mark for mark in (r"\toprule", r"\midrule", r"\bottomrule") if text.count(mark) != 1] == []
    commands = set(re.findall(r"\\([a-zA-Z]+)", text.partition("\\begin")[2])) | {"begin"}
    assert commands == {
        "begin", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "end", "beta",
        "textbackslash", "textasciitilde", "textasciicircum", "textless", "textgreater", "textbar", "char",
        "langle", "rangle", "resizebox", "ifdim", "else", "fi", "width", "linewidth",
    }  # fmt: skip
    body = text.partition("\\midrule")[2].partition("\\bottomrule")[0]
    rows = [line for line in body.splitlines() if line.strip()]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [8, 8]
    assert not re.search(r"(?<!\\)[%#_]", body)
    assert r"$\langle$U+202E$\rangle$" in text


def test_what_begins_a_row_is_no_argument_of_the_end_of_the_row_before(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=6, showcase=1, steps=3, text=lambda text: f"[1in] {text}")
    text = latex_table(*_compared(tmp_path, shape))
    assert "\n{[}1in] dpo" in text
    assert not re.search(r"(\\\\|rule)\s*[\[*]", text)


def test_a_wide_table_is_made_to_fit_the_line(example: tuple[StudyResults, Comparison]) -> None:
    text = latex_table(*example)
    assert re.search(r"\n\\resizebox\{.*\}\{!\}\{%\n\\begin\{tabular\}", text)
    assert "\\end{tabular}}\n" in text


def test_markdown_of_foreign_text_formats_nothing(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=6, showcase=1, steps=3, text=lambda text: f"{text} {HOSTILE}")
    text = markdown_table(*_compared(tmp_path, shape))
    assert "<img" not in text
    assert not re.search(r"(?<!\\)[\[`*$]", text.replace("---", ""))
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {10}


def test_nothing_finished_still_gives_both_tables(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), unfinished=("base", "dpo"), failed=("kto",))
    study, comparison = _compared(tmp_path, shape)
    assert "–" in markdown_table(study, comparison)
    assert r"\toprule" in latex_table(study, comparison)
