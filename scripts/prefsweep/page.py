"""The report as one self-contained page: what the template shows, made inert, and the scripts it may run.

Everything that came from a model, a data set or an error is text: control and direction-changing characters
are made visible, the template escapes the rest, and the page's policy lets only its own scripts run.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefsweep import account, charts, leaderboard, summary
from prefsweep.alarms import alarms
from prefsweep.answers import side_by_side
from prefsweep.bibliography import load_references
from prefsweep.changes_section import changes_section
from prefsweep.charts import Figure
from prefsweep.comparison import Comparison
from prefsweep.data_charts import length_figure, rule_figure
from prefsweep.data_section import data_section
from prefsweep.figure_files import remove_figures, write_figures
from prefsweep.files import write_text
from prefsweep.grid_charts import grid_figures
from prefsweep.judge_section import judge_section
from prefsweep.lesson_charts import lesson_figures
from prefsweep.lessons_section import lessons_section
from prefsweep.methods_text import REFERENCES, methods_text
from prefsweep.palette import method_colours
from prefsweep.pareto import Front, pareto_front
from prefsweep.point_table import point_rows
from prefsweep.rendering import bundle, drawn, page, source
from prefsweep.results import StudyResults
from prefsweep.reward_section import reward_section
from prefsweep.screening_section import screening_figure, screening_section
from prefsweep.speed_section import speed_section
from prefsweep.table import Row
from prefsweep.tax_section import tax_section
from prefsweep.tradeoff_charts import tradeoff_figures
from prefsweep.tradeoffs import front_sentences
from prefsweep.training_section import training_section

_QUALITY = ("preference_accuracy_normalised", "chosen_nats_per_character")
MOST_ROWS_AT_ONCE = 30
"""Of a table below the points: a longer one scrolls within itself, so that the next section is not screens away."""
_BEHAVIOUR = ("emoji", "words", "repetition", "truncated", "same_language")


def write_page(study: StudyResults, comparison: Comparison, path: Path, *, partial: bool = False) -> None:
    """Write the page atomically, and its figures beside it. The same input gives the same bytes.

    A partial page, which whoever stops a study waits for, has no figures beside it.
    """
    context = _context(study, comparison, partial=partial)
    if partial:
        remove_figures(path.parent / "figures")
    else:
        write_figures(context["panels"], path.parent / "figures")
    write_text(path, _rendered(study, context))


def render_page(study: StudyResults, comparison: Comparison, *, partial: bool = False) -> str:
    """The page's HTML, valid however little of the study has finished. `partial` says so at the top."""
    return _rendered(study, _context(study, comparison, partial=partial))


def _rendered(study: StudyResults, context: dict[str, Any]) -> str:
    scripts = {
        "board_script": source("board.js"),
        "picks_script": source("picks.js"),
        "bundle": bundle(),
        "script": source("report.js"),
        "answers_script": source("answers.js"),
    }
    colours = method_colours(point.method for point in study.plan.points)
    return page("report.html", study.plan.study, colours, scripts, **context)


def _context(study: StudyResults, comparison: Comparison, *, partial: bool) -> dict[str, Any]:
    rows = {str(row["point"]): row for row in point_rows(study, comparison)}
    colours = method_colours(point.method for point in study.plan.points)
    context = _content(study, comparison, rows, partial=partial)
    front = pareto_front(rows.values(), comparison.direction)
    context["tradeoffs"] = front_sentences(comparison, front)
    context["panels"] = _panels(study, comparison, rows, front, colours)
    return context | {"sections": _sections(context)}


def _content(study: StudyResults, comparison: Comparison, rows: Mapping[str, Row], *, partial: bool) -> dict[str, Any]:
    title, support = summary.opening(comparison)
    return {
        "study": study,
        "comparison": comparison,
        "title": title,
        "support": support,
        "whole": not partial,
        "tall": MOST_ROWS_AT_ONCE,
        "banner": summary.banner(study, partial=partial),
        "tiles": summary.tiles(comparison, rows),
        "caveats": summary.caveats(study, comparison),
        "caveats_in_the_open": summary.CAVEATS_IN_THE_OPEN,
        "summary": summary.particulars(study),
        "primary": summary.primary_metric(comparison),
        "board": leaderboard.board(study, comparison, rows),
        "screening": screening_section(study, comparison),
        "tax": tax_section(comparison),
        "lessons": lessons_section(comparison),
        "changes": changes_section(study, comparison),
        "alarms": account.alarm_rows(study, alarms(study, comparison)),
        "judge": judge_section(study, comparison, rows),
        "reward": reward_section(study, comparison, rows),
        "answers": side_by_side(study, comparison),
        "failures": account.failed_runs(study),
        "speed": speed_section(study),
        "data": data_section(study, comparison),
        "provenance": account.provenance(study, comparison),
        "methods_text": methods_text(study, comparison, load_references(REFERENCES)),
    }


def _panels(
    study: StudyResults, comparison: Comparison, rows: Mapping[str, Row], front: Front, colours: dict[str, str]
) -> dict[str, Any]:
    catalogue = {metric.name: metric for metric in comparison.metrics}
    primary = comparison.primary_metric
    quality = [name for name in dict.fromkeys((primary, *_QUALITY)) if name in catalogue]
    behaviour = [name for name in _BEHAVIOUR if name in catalogue and name not in quality]
    screened = screening_figure(study, comparison, colours)
    return {
        "screening": drawn([screened] if screened else []),
        "quality": drawn(charts.metric_figure(comparison, catalogue[name], colours, dots=True) for name in quality),
        "tradeoffs": drawn(tradeoff_figures(comparison, front, rows, colours)),
        "behaviour": drawn(
            charts.metric_figure(comparison, catalogue[name], colours, dots=False) for name in behaviour
        ),
        "lessons": drawn([*lesson_figures(comparison, colours), *grid_figures(comparison, colours)]),
        "data": drawn(_data_figures(study, comparison, colours)),
        "training": training_section(study, comparison, colours),
    }


def _data_figures(study: StudyResults, comparison: Comparison, colours: dict[str, str]) -> list[Figure]:
    if study.audit is None:
        return []
    traits = study.traits
    rules = [rule_figure(traits, comparison, colours)] if traits and traits.baselines else []
    return [length_figure(study.audit, bool(rules) or study.audit.content == "pairs"), *rules]


def _sections(context: dict[str, Any]) -> list[tuple[str, str]]:
    panels = context["panels"]
    present = {
        ("points", "Points"): True,
        ("screening", "Screening"): context["screening"]["tables"],
        ("tradeoffs", "Quality and cost"): panels["quality"],
        ("lessons", "Lessons"): context["lessons"]["tables"],
        ("behaviour", "Behaviour"): panels["behaviour"],
        ("tax", "Alignment tax"): context["tax"]["rows"],
        ("changes", "Changes"): context["changes"]["lead"],
        ("training", "Training"): panels["training"]["quantities"],
        ("alarms", "Alarms"): context["alarms"],
        ("judge", "Judge"): context["judge"]["lead"],
        ("reward", "Reward model"): context["reward"]["lead"],
        ("answers", "Answers"): context["answers"]["prompts"],
        ("failures", "Failed runs"): context["failures"],
        ("speed", "Speed"): context["speed"]["tables"],
        ("data", "Data"): True,
        ("provenance", "Provenance"): True,
    }
    return [section for section, shown in present.items() if shown]
