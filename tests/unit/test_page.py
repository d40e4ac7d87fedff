"""The page: valid whatever exists, self-contained, and inert however hostile the text in it is."""

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from compare import compared
from prefsweep.answer_card import LONGEST_ANSWER
from prefsweep.page import render_page
from prefsweep.rendering import visible
from prefsweep.results import read_study
from tests.example_study import METHODS, Shape, build_study
from tests.hostile_text import HOSTILE

VOID = {"meta", "link", "input", "br", "hr", "img", "rect", "line", "path"}
SMALL = Shape(methods=("dpo", "kto"), heldout=6, showcase=1, steps=5)
WITH_A_FAILURE = Shape(methods=("dpo", "kto", "cpo"), heldout=4, showcase=1, steps=5, failed=("kto",))


class Document(HTMLParser):
    """Every element of a page with its attributes, and the text of scripts."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.drawn: list[tuple[str, dict[str, str | None]]] = []
        """What charts are made of."""
        self.chart: int | None = None
        self.scripts: list[str] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.add(tag, dict(attrs))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.add(tag, dict(attrs))

    def add(self, tag: str, attributes: dict[str, str | None]) -> None:
        (self.drawn if self.in_chart() else self.elements).append((tag, attributes))
        if attributes.get("class") == "marks":
            self.chart = len(self.open)

    def in_chart(self) -> bool:
        return self.chart is not None and len(self.open) > self.chart

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag
        if self.chart is not None and len(self.open) <= self.chart:
            self.chart = None

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += data
        elif self.open and self.open[-1] != "style":
            self.text.append(data)

    def skeleton(self) -> list[tuple[str, tuple[str, ...]]]:
        """Elements and the names of their attributes: what hostile text must not change.

        Of a chart only the outermost element counts: how many axis labels fit depends on their length. Spans, ins
        and del are left out: an answer's chips and what is marked in it depend on its text.
        """
        texts = ("span", "ins", "del")
        return [(tag, tuple(attributes)) for tag, attributes in self.elements if tag not in texts]

    def with_tag(self, name: str) -> Iterator[dict[str, str | None]]:
        return (attributes for tag, attributes in self.elements if tag == name)


def _page(directory: Path, shape: Shape, *, partial: bool = False) -> str:
    study = read_study(build_study(directory, shape))
    return render_page(study, compared(study), partial=partial)


@pytest.fixture(scope="module")
def full_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    return _page(tmp_path_factory.mktemp("full"), Shape())


def test_the_demo_sized_page_is_whole_and_small(full_page: str) -> None:
    document = Document(full_page)
    assert not document.open
    assert len(full_page.encode()) < 3_000_000
    sections = [attributes.get("id") for attributes in document.with_tag("section")]
    assert sections == [
        "answer", "points", "tradeoffs", "behaviour", "tax", "changes", "training", "alarms", "answers", "speed",
        "data", "provenance",
    ]  # fmt: skip
    text = "".join(document.text)
    assert "best of 5 points" in text
    assert "chosen on one half of the held-out prompts (development) and is judged on the other (test)" in text
    assert all(method in text for method in METHODS)


def test_nothing_is_loaded_and_only_its_own_scripts_may_run(full_page: str) -> None:
    document = Document(full_page)
    policy = next(m["content"] for m in document.with_tag("meta") if m.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe-eval" not in policy
    assert "unsafe-inline" not in policy.split("script-src")[1]
    code = [
        script
        for script, attributes in zip(document.scripts, document.with_tag("script"), strict=True)
        if attributes.get("type") != "application/json"
    ]
    allowed = re.findall(r"'sha256-([^']+)'", policy)
    assert allowed == [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in code]
    for _, attributes in document.elements + document.drawn:
        for name in ("src", "srcset", "action", "data", "xlink:href"):
            assert name not in attributes
        target = attributes.get("href")
        assert target is None or re.fullmatch(r"#[\w-]+|data:,|[a-z]+\.(csv|jsonl|md|tex|bib)|figures/", target)


def test_the_bundle_needs_no_eval(full_page: str) -> None:
    bundle = max(Document(full_page).scripts, key=len)
    assert "expressionInterpreter" in bundle or "interpreter" in bundle.lower()
    assert "ast: true" in full_page


def test_it_reads_without_scripts(full_page: str) -> None:
    document = Document(full_page)
    charts = [a for tag, a in document.elements if tag == "div" and a.get("class") == "chart"]
    stills = [a for tag, a in document.elements if tag == "svg" and a.get("class") == "marks"]
    assert len(charts) == len(stills) > 15
    assert all(chart["role"] == "img" and chart["aria-label"] for chart in charts)
    assert not any("hidden" in attributes for _, attributes in document.elements)


def test_tables_and_inputs_are_labelled(full_page: str) -> None:
    document = Document(full_page)
    tags = [tag for tag, _ in document.elements]
    assert tags.count("caption") == tags.count("table")
    assert tags.count("h1") == tags.count("main") == 1
    assert all(head.get("scope") in ("col", "row") for head in document.with_tag("th"))
    ids = [attributes["id"] for _, attributes in document.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_every_specification_is_strict_json(full_page: str) -> None:
    document = Document(full_page)
    kinds = [attributes.get("type") for attributes in document.with_tag("script")]
    specs = [text for text, kind in zip(document.scripts, kinds, strict=True) if kind == "application/json"]

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    for spec in specs:
        json.loads(spec, parse_constant=refuse)


PAGES = 6
"""So many share the hostile texts out, so that one text's end (`-->`) is not on the page of its beginning (`<!--`)."""


@pytest.mark.parametrize("first", range(PAGES))
def test_hostile_text_changes_no_element(tmp_path: Path, first: int) -> None:
    hostile = " ".join(HOSTILE[first::PAGES])
    harmless = re.sub(r"\W", " ", hostile)  # the same words, so that metrics of them are the same
    expected = Document(_page(tmp_path / "harmless", _added(harmless))).skeleton()
    page = _page(tmp_path / "hostile", _added(hostile))
    document = Document(page)
    assert document.skeleton() == expected, hostile
    assert all(set(attributes) <= {"class", "aria-hidden"} for attributes in document.with_tag("span"))
    assert not any(attributes for tag in ("ins", "del") for attributes in document.with_tag(tag))
    assert {tag for tag, _ in document.drawn} <= {"g", "path", "line", "rect", "text", "defs", "clippath"}
    for _, attributes in document.elements + document.drawn:
        assert not any(name.startswith("on") for name in attributes)
        assert not (attributes.get("href") or "").strip().lower().startswith("javascript:")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069\u2028\u2029\u200b\ufeff]", page)


def _added(text: str) -> Shape:
    """A study, one of whose methods failed, with this in every text of a model, data, names and errors."""
    return replace(WITH_A_FAILURE, text=lambda written: f"{written} {text}")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\u202eb", "a⟨U+202E⟩b"),
        ("\x1b[31m", "⟨U+001B⟩[31m"),
        ("a\x00", "a⟨U+0000⟩"),
        ("\ud800", "⟨U+D800⟩"),
        ("one\r\ntwo\tthree", "one\ntwo\tthree"),
        ("👩\u200d🔬 ✨", "👩\u200d🔬 ✨"),
        ("مرحبا 你好", "مرحبا 你好"),
    ],
)
def test_hidden_characters_are_shown_and_the_rest_is_kept(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_huge_answer_is_cut_with_a_note(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo",), heldout=2, showcase=1, steps=5, text=lambda text: text + "x" * 1_000_000)
    page = _page(tmp_path, shape)
    assert "x" * (LONGEST_ANSWER + 2) not in page
    assert "samples.jsonl has all of them" in page
    assert len(page.encode()) < 3_000_000


def test_same_input_same_bytes(tmp_path: Path) -> None:
    assert _page(tmp_path / "a", SMALL) == _page(tmp_path / "b", SMALL)


def test_nothing_finished_is_still_a_page_without_a_ranking(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), heldout=4, failed=("kto",), unfinished=("base", "dpo"))
    page = _page(tmp_path, shape, partial=True)
    text = "".join(Document(page).text)
    assert "Partial report: 0 of 3 runs finished, 1 failed." in text
    assert "recommended" not in text
    assert "n/a" in text
    assert "No run has finished yet" in text
    assert "not measured yet" in text


def test_a_study_before_its_data_is_still_a_page(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",), unfinished=("base", "dpo")))
    for file in (folder / "data").iterdir():
        file.unlink()
    study = read_study(folder)
    assert not Document(render_page(study, compared(study))).open


def test_a_failed_run_is_shown_with_class_last_lines_and_remedy(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "kto"), heldout=4, failed=("kto",), steps=5)
    page = _page(tmp_path, shape)
    text = "".join(Document(page).text)
    assert "2 of 3 runs finished, 1 failed." in text
    section = text[text.index("Failed runs\n") :] if "Failed runs\n" in text else text
    for expected in (
        "nan",
        "train",
        "the loss was not finite at step 7",
        "step 7 loss nan",
        "Lower the learning",
    ):
        assert expected in section
    assert re.search(r'href="\.\./runs/kto-[0-9a-f]{8}/seed-0/logs/train\.log"', page)


def test_a_finished_study_has_no_banner(full_page: str) -> None:
    assert 'class="banner"' not in full_page
