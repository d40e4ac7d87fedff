"""Parts of a page: templates, styles, scripts and pictures. What came from a model, data or an error is inert text."""

import base64
import hashlib
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from prefsweep.answer_card import cut
from prefsweep.charts import Figure
from prefsweep.palette import method_colours, method_shapes, on_dark

_TEMPLATES = Path(__file__).resolve().parent / "templates"
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
_CLIP = re.compile(r'(id="|url\(#)clip(\d+)')
_GLOBALS = "window.vegaEmbed=vegaEmbed;"
_JOINERS = {"\u200c", "\u200d"}
"""Invisible, but part of emoji and of Persian and Indic spelling."""


def visible(text: str) -> str:
    """Text in which nothing hides: control, direction-changing and invisible characters become `⟨U+202E⟩`.

    Tabs, line breaks and the joiners that emoji and some scripts need are kept; a huge text is cut.
    """
    text = cut(text.replace("\r\n", "\n"))[0]
    if text.isascii() and text.isprintable():
        return text
    return "".join(_visible(character) for character in text)


def _visible(character: str) -> str:
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
    if not hidden or character in "\n\t" or character in _JOINERS:
        return character
    return f"⟨U+{ord(character):04X}⟩"


def inert(value: Any) -> Any:
    """Nested values with every text made visible and every non-finite number missing: strict JSON."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {visible(str(name)): inert(item) for name, item in value.items()}
    return [inert(item) for item in value] if isinstance(value, list | tuple) else value


def _finalize(value: Any) -> Any:
    """What the template prints: foreign text made visible, missing numbers said, our own markup as it is."""
    if isinstance(value, Markup):
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    return visible(value) if isinstance(value, str) else value


def page(
    template: str, name: str, methods: Iterable[str], scripts: Mapping[str, str] | None = None, **context: Any
) -> str:
    """A page's HTML: a template that extends `frame.html`. Its policy lets `scripts` run and no others.

    `name` is the study's; `methods` are those whose marks the page shows.
    """
    trusted = {key: Markup(text) for key, text in (scripts or {}).items()}
    hashes = " ".join(f"'sha256-{_digest(text)}'" for text in trusted.values())
    css = Markup(source("report.css"))
    return (
        _environment()
        .get_template(template)
        .render(context | trusted, name=name, marks=_marks(methods), css=css, script_hashes=hashes)
    )


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def drawn(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Each figure as a still picture for every reader and as a specification for the live one."""
    return [draw(figure) for figure in figures]


def _marks(methods: Iterable[str]) -> dict[str, dict[str, str]]:
    """Each method's colours, on the light and the dark page, and its symbol."""
    colours = method_colours(methods)
    return {
        method: {"colour": colours[method], "dark": on_dark(colours[method]), "path": path}
        for method, path in method_shapes(colours).items()
    }


def draw(figure: Figure) -> dict[str, Any]:
    """A figure as a still picture and as a specification, beside itself.

    The panel says its numbers in words: the picture's marks are not read out beside them.
    """
    spec = inert(figure.spec)
    still = {key: value for key, value in spec.items() if key != "$schema"}
    return {
        "figure": figure,
        "id": figure.id,
        "title": figure.title,
        "note": figure.note,
        "description": figure.description,
        "svg": Markup(svg(still, figure.id).replace("<svg", '<svg aria-hidden="true"', 1)),
        "json": htmlsafe_json_dumps(spec, separators=(",", ":"), allow_nan=False),
    }


def svg(spec: dict[str, Any], name: str) -> str:
    """A specification as a picture: the same bytes for the same `name`, whatever was drawn before.

    Vega counts clipping paths through the life of a process; here they count from 1 in each picture.
    """
    numbers: dict[str, int] = {}

    def named(mark: re.Match[str]) -> str:
        return f"{mark[1]}{name}-clip{numbers.setdefault(mark[2], len(numbers) + 1)}"

    return _CLIP.sub(named, vl_convert.vegalite_to_svg(spec, vl_version=VEGA_LITE))


@cache
def bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed (with the interpreter that needs no eval) in a scope of their own."""
    bundle = str(vl_convert.javascript_bundle(_GLOBALS, vl_version=VEGA_LITE))
    return _in_script(f"(()=>{{{bundle}}})();")


@cache
def source(name: str) -> str:
    """A style sheet or script of the templates' folder."""
    return _in_script((_TEMPLATES / name).read_text(encoding="utf-8"))


def _in_script(text: str) -> str:
    """Text that is safe between tags. Raises ValueError when it would end its element early."""
    if any(mark in text.lower() for mark in ("</script", "</style", "<!--", "\r")):
        raise ValueError("a script or style sheet would end its element early")
    return text


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
