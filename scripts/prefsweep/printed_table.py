"""The comparison as a table to print: Markdown for a page or an issue, LaTeX (booktabs) for a paper."""

import re
from collections import Counter
from collections.abc import Callable

import pandas as pd

from prefsweep.board_cells import minutes
from prefsweep.comparison import Comparison, PointComparison
from prefsweep.leaderboard import number, ranked, title_of
from prefsweep.plan import BASE
from prefsweep.point_table import point_rows
from prefsweep.rendering import visible
from prefsweep.results import StudyResults
from prefsweep.table import Row
from prefsweep.wording import count, joined, probability, range_text, signed, value_text
from prefsweep.written_tables import table

_NONE = "–"
_PREAMBLE = r"""% Needs \usepackage{booktabs,graphicx}. Letters beyond Latin ones and those of knobs need XeLaTeX or
% LuaLaTeX, and a font that has them."""
_FITTED = r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%"
"""Only what is wider than a line is made smaller."""
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>|#~$&])")
_LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}",
        ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\char34{}", "[": "{[}", "*": "{*}",
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
        "−": "$-$", "±": r"$\pm$", "×": r"$\times$", "·": r"$\cdot$", "≤": r"$\leq$", "≥": r"$\geq$",
        "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\varepsilon$",
        "η": r"$\eta$", "λ": r"$\lambda$", "τ": r"$\tau$", "–": "--", "\u00a0": "~",
        "⟨": r"$\langle$", "⟩": r"$\rangle$",
    }
)  # fmt: skip
"""What LaTeX would take for a command or, as `[` and `*` at a row's beginning, for an argument of one; what pdfLaTeX's
usual encoding lacks; and the letters of the methods' knobs."""


def markdown_table(study: StudyResults, comparison: Comparison) -> str:
    """`comparison.md`: the caption, then the table."""
    heads, rows = _cells(study, comparison, markdown_text)
    return f"{markdown_text(caption(study, comparison))}\n\n{table(heads, rows)}"


def latex_table(study: StudyResults, comparison: Comparison) -> str:
    """`comparison.tex`: a `table` environment for a document that loads `booktabs` and `graphicx`."""
    heads, rows = _cells(study, comparison, _latex)
    frame = pd.DataFrame(rows, columns=list(heads), dtype=object)
    text = frame.style.hide(axis="index").to_latex(
        hrules=True,
        caption=_latex(caption(study, comparison)),
        label=f"tab:{re.sub('[^a-z0-9]+', '-', study.plan.study.lower())}",
        position_float="centering",
        column_format="lrrrrlrrr",
    )
    before, begin, rest = text.partition(r"\begin{tabular}")
    return f"{_PREAMBLE}\n{before}{_FITTED}\n{begin}{rest}".replace(r"\end{tabular}", r"\end{tabular}}")


def caption(study: StudyResults, comparison: Comparison) -> str:
    """What was compared, on how much, how the intervals and p-values came about, how many verdicts of each kind."""
    plan = study.plan
    better = "" if comparison.direction == "neutral" else f", {comparison.direction} is better"
    verdicts = Counter(point.verdict for point in comparison.points if point.method != BASE)
    return (
        f"{title_of(comparison.primary_metric).capitalize()} ({comparison.unit}{better}) of {plan.model.name} on "
        f"{count(comparison.test_prompts, 'test prompt')} of {plan.data.name}, "
        f"{'seed' if len(plan.seeds) == 1 else 'seeds'} {joined([str(seed) for seed in plan.seeds])}. "
        "Differences are to the untouched model, paired by prompt and seed, with 95 % intervals of a crossed bootstrap "
        f"over seeds and prompts; p is adjusted by Holm over {count(len(comparison.family), 'point')}. "
        f"Verdicts: {joined([f'{number} {verdict}' for verdict, number in verdicts.items()])}."
        + (" One seed tells about this checkpoint, not about the method." if len(plan.seeds) == 1 else "")
    )


def _cells(
    study: StudyResults, comparison: Comparison, escape: Callable[[str], str]
) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    costs = {str(row["point"]): row for row in point_rows(study, comparison)}
    heads = ("point", title_of(comparison.primary_metric), "difference", "95 % interval", "p", "verdict")
    rows = [_row(point, comparison, costs[point.point]) for point in ranked(comparison)]
    escaped = [tuple(escape(cell) for cell in row) for row in rows]
    return tuple(escape(head) for head in (*heads, "seeds", "words", "training")), escaped


def _row(point: PointComparison, comparison: Comparison, costs: Row) -> tuple[str, ...]:
    unit, primary = comparison.unit, point.metrics.get(comparison.primary_metric)
    difference, words = primary and primary.difference, point.metrics.get("words")
    seconds = number(costs, "train_seconds")
    return (
        point.label,
        value_text(primary.mean.estimate, unit) if primary else _NONE,
        signed(difference.estimate, unit) if difference else _NONE,
        range_text(difference, unit) if difference else _NONE,
        _NONE if point.p_adjusted is None else probability(point.p_adjusted),
        point.verdict,
        f"{len(point.seeds_finished)} of {len(point.seeds_planned)}",
        f"{words.mean.estimate:.0f}" if words else _NONE,
        _NONE if seconds is None else minutes(seconds),
    )


def markdown_text(text: str) -> str:
    """Foreign text as Markdown shows it: nothing in it formats, links, or ends a cell."""
    return _MARKDOWN.sub(r"\\\1", _one_line(text)).replace("\\<", "&lt;").replace("\\&", "&amp;")


def _latex(text: str) -> str:
    """Foreign text as LaTeX prints it: nothing in it is a command."""
    return _one_line(text).translate(_LATEX)


def _one_line(text: str) -> str:
    return " ".join(visible(text).split())
