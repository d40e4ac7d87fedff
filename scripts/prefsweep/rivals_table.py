"""`rivals.csv`: the methods' best points against each other, one row per pair that is to meet (docs/results.md)."""

from collections import Counter

import pandas as pd

from prefsweep.comparison import Comparison
from prefsweep.judge_summary import LENGTH_CONTROLLED_COLUMNS, OUTCOME_COLUMNS, TRUST_COLUMNS, trust
from prefsweep.results import StudyResults
from prefsweep.rivals import RivalComparison
from prefsweep.table import Row, fields

WIN_RATE_COLUMNS = {"win_rate": "estimate", "win_rate_low": "low", "win_rate_high": "high"}
"""Column → field of an `Interval`."""
_DIFFERENCE = {"difference_to_half": "estimate", "difference_low": "low", "difference_high": "high"}
COLUMNS = [
    *("point", "method", "label", "opponent", "opponent_method", "opponent_label"),
    *("seeds", "prompts", "excluded_prompts"),
    *(f"judge_{name}" for name in OUTCOME_COLUMNS),
    *WIN_RATE_COLUMNS,
    *_DIFFERENCE,
    *("difference_standard_error", "p_value", "p_adjusted", "minimum_detectable_effect"),
    *LENGTH_CONTROLLED_COLUMNS,
    *("verdict", "reason", "caveats"),
    *TRUST_COLUMNS,
]


def rivals_table(study: StudyResults, comparison: Comparison) -> pd.DataFrame:
    """Pairs that have not met are rows with empty cells; where none is to meet there are columns alone."""
    return pd.DataFrame(rival_rows(study, comparison), columns=COLUMNS, dtype=object)


def rival_rows(study: StudyResults, comparison: Comparison) -> list[Row]:
    """The rows of `rivals.csv` as plain values, in the order of `Comparison.rivals`."""
    return [_sides(comparison, rivals) | _measured(rivals) | _said(study, rivals) for rivals in comparison.rivals]


def _sides(comparison: Comparison, rivals: RivalComparison) -> Row:
    point, opponent = comparison.point(rivals.point), comparison.point(rivals.opponent)
    return {
        "point": point.point,
        "method": point.method,
        "label": point.label,
        "opponent": opponent.point,
        "opponent_method": opponent.method,
        "opponent_label": opponent.label,
    }


def _measured(rivals: RivalComparison) -> Row:
    found = rivals.win_rate
    counted = {name: name for name in ("prompts", "excluded_prompts", "minimum_detectable_effect")}
    tested = _DIFFERENCE | {"difference_standard_error": "standard_error", "p_value": "p_value"}
    row = fields(found, counted) | fields(found.mean if found else None, WIN_RATE_COLUMNS)
    row |= fields(found.difference if found else None, tested)
    row |= fields(rivals.length_controlled, LENGTH_CONTROLLED_COLUMNS)
    return row | {
        "seeds": len(rivals.seeds),
        "p_adjusted": rivals.p_adjusted,
        "verdict": rivals.verdict,
        "reason": rivals.reason,
        "caveats": " · ".join(rivals.caveats),
    }


def _said(study: StudyResults, rivals: RivalComparison) -> Row:
    """Outcomes, and what they say of the judge."""
    met = set(rivals.meetings)
    pairs = [pair for pair in study.rivals.verdicts if (pair.run, pair.opponent) in met]
    outcomes = Counter(pair.outcome for pair in pairs)
    row: Row = {f"judge_{name}": outcomes[outcome] if pairs else None for name, outcome in OUTCOME_COLUMNS.items()}
    price = study.plan.judge.settings.price if study.plan.judge else None
    return row | fields(trust(pairs, price) if pairs else None, TRUST_COLUMNS)
