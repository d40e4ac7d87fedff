"""The report as one self-contained page: what the template shows, made inert, and the scripts it may run.

Everything that came from a model, a data set or an error is text: control and direction-changing characters
are made visible, the template escapes the rest, and the page's policy lets only its own two scripts run.
"""

import base64
import hashlib
import math
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

from prefsweep import account, charts, curves, leaderboard, summary
from prefsweep.alarms import alarms
from prefsweep.answers import cut, side_by_side
from prefsweep.charts import Figure
from prefsweep.comparison import Comparison
from prefsweep.data_charts import length_figure, rule_figure
from prefsweep.data_section import data_section
from prefsweep.files import write_text
from prefsweep.palette import method_colours, method_shapes, on_dark
from prefsweep.plan import BASE
from prefsweep.results import StudyResults
from prefsweep.screening_section import screening_figure, screening_section
from prefsweep.table import Row, point_rows

_TEMPLATES = Path(__file__).resolve().parent / "templates"
_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
_GLOBALS = "window.vegaEmbed=vegaEmbed;"
_QUALITY = ("preference_accuracy_normalised", "chosen_nats_per_character")
_BEHAVIOUR = ("emoji", "words", "repetition", "truncated", "same_language")
_JOINERS = {"\u200c", "\u200d"}
"""Invisible, but part of emoji and of Persian and Indic spelling."""


def write_page(study: StudyResults, comparison: Comparison, path: Path, *, partial: bool = False) -> None:
    """Write the page atomically. The same input gives the same bytes."""
    write_text(path, render_page(study, comparison, partial=partial))


def render_page(study: StudyResults, comparison: Comparison, *, partial: bool = False) -> str:
    """The page's HTML, valid however little of the study has finished. `partial` says so at the top."""
    scripts = {"bundle": _bundle(), "script": _source("report.js")}
    rows = {str(row["point"]): row for row in point_rows(study, comparison)}
    colours = method_colours(point.method for point in study.plan.points)
    context = _content(study, comparison, rows, partial=partial)
    context["panels"] = _panels(study, comparison, rows, colours)
    context["marks"] = {
        method: {"colour": colours[method], "dark": on_dark(colours[method]), "path": path}
        for method, path in method_shapes(colours).items()
    }
    context["sections"] = _sections(context)
    template = _environment().get_template("report.html")
    return template.render(
        **context,
        **{name: Markup(text) for name, text in scripts.items()},
        css=Markup(_source("report.css")),
        script_hashes=" ".join(f"'sha256-{_digest(text)}'" for text in scripts.values()),
    )


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


def _inert(value: Any) -> Any:
    """Nested values with every text made visible and every non-finite number missing: strict JSON."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {visible(str(name)): _inert(item) for name, item in value.items()}
    return [_inert(item) for item in value] if isinstance(value, list | tuple) else value


def _finalize(value: Any) -> Any:
    """What the template prints: foreign text made visible, missing numbers said, our own markup as it is."""
    if isinstance(value, Markup):
        return value
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    return visible(value) if isinstance(value, str) else value


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


def _content(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row], *, partial: bool) -> dict[str, Any]:
    title, support = summary.opening(comparison)
    return {
        "study": study,
        "comparison": comparison,
        "title": title,
        "support": support,
        "banner": summary.banner(study, partial=partial),
        "tiles": summary.tiles(comparison, rows),
        "caveats": summary.caveats(study, comparison),
        "summary": summary.particulars(study),
        "primary": summary.primary_metric(comparison),
        "board": leaderboard.board(comparison, rows),
        "screening": screening_section(study, comparison),
        "alarms": account.alarm_rows(study, alarms(study, comparison)),
        "answers": side_by_side(study, comparison),
        "failures": account.failed_runs(study),
        "serving": account.serving_tables(study),
        "data": data_section(study, comparison),
        "provenance": account.provenance(study, comparison),
    }


def _panels(
    study: StudyResults, comparison: Comparison, rows: Mapping[str, Row], colours: dict[str, str]
) -> dict[str, Any]:
    catalogue = {metric.name: metric for metric in comparison.metrics}
    primary = comparison.primary_metric
    quality = [name for name in dict.fromkeys((primary, *_QUALITY)) if name in catalogue]
    behaviour = [name for name in _BEHAVIOUR if name in catalogue and name not in quality]
    training = curves.training_figures(study, colours)
    screened = screening_figure(study, comparison, colours)
    return {
        "screening": _drawn([screened] if screened else []),
        "quality": _drawn(charts.metric_figure(comparison, catalogue[name], colours, dots=True) for name in quality),
        "tradeoffs": _drawn(_tradeoffs(comparison, rows, colours) if primary in catalogue else []),
        "behaviour": _drawn(
            charts.metric_figure(comparison, catalogue[name], colours, dots=False) for name in behaviour
        ),
        "data": _drawn(_data_figures(study, comparison, colours)),
        "training": [
            (quantity, [(method, figure and _draw(figure)) for method, figure in figures.items()])
            for quantity, figures in training.items()
        ],
    }


def _tradeoffs(comparison: Comparison, rows: Mapping[str, Row], colours: dict[str, str]) -> list[Figure]:
    columns = {
        "output_tokens_per_second": "output tokens per second",
        "train_seconds": "training seconds per run",
        "words_estimate": "words per answer",
    }
    untrained = {"train_seconds": {p.point: 0.0 for p in comparison.points if p.method == BASE and p.metrics}}
    figures = []
    for column, title in columns.items():
        values = {point: leaderboard.number(row, column) for point, row in rows.items()}
        known = {point: value for point, value in values.items() if value is not None} | untrained.get(column, {})
        if len(known) > 1:
            figures.append(charts.tradeoff_figure(comparison, column, known, title, colours))
    return figures


def _data_figures(study: StudyResults, comparison: Comparison, colours: dict[str, str]) -> list[Figure]:
    if study.audit is None:
        return []
    traits = study.traits
    rules = [rule_figure(traits, comparison, colours)] if traits and traits.baselines else []
    return [length_figure(study.audit, bool(rules) or study.audit.content == "pairs"), *rules]


def _drawn(figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Each figure as a still picture for every reader and as a specification for the live one."""
    return [_draw(figure) for figure in figures]


def _draw(figure: Figure) -> dict[str, Any]:
    spec = _inert(figure.spec)
    still = {key: value for key, value in spec.items() if key != "$schema"}
    return {
        "id": figure.id,
        "title": figure.title,
        "note": figure.note,
        "description": figure.description,
        "svg": Markup(vl_convert.vegalite_to_svg(still, vl_version=_VEGA_LITE)),
        "json": htmlsafe_json_dumps(spec, separators=(",", ":"), allow_nan=False),
    }


def _sections(context: dict[str, Any]) -> list[tuple[str, str]]:
    panels = context["panels"]
    present = {
        ("points", "Points"): True,
        ("screening", "Screening"): context["screening"]["tables"],
        ("tradeoffs", "Quality and cost"): panels["quality"],
        ("behaviour", "Behaviour"): panels["behaviour"],
        ("training", "Training"): panels["training"],
        ("alarms", "Alarms"): context["alarms"],
        ("answers", "Answers"): context["answers"]["prompts"],
        ("failures", "Failed runs"): context["failures"],
        ("serving", "Serving"): context["serving"],
        ("data", "Data"): True,
        ("provenance", "Provenance"): True,
    }
    return [section for section, shown in present.items() if shown]


@cache
def _bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed (with the interpreter that needs no eval) in a scope of their own."""
    bundle = str(vl_convert.javascript_bundle(_GLOBALS, vl_version=_VEGA_LITE))
    return _in_script(f"(()=>{{{bundle}}})();")


@cache
def _source(name: str) -> str:
    return _in_script((_TEMPLATES / name).read_text(encoding="utf-8"))


def _in_script(text: str) -> str:
    """Text that is safe between tags. Raises ValueError when it would end its element early."""
    if any(mark in text.lower() for mark in ("</script", "</style", "<!--", "\r")):
        raise ValueError("a script or style sheet would end its element early")
    return text


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
