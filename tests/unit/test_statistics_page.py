"""The figures of docs/statistics.md are those of the benchmark that it names."""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIGURES = json.loads((ROOT / "benchmarks" / "results" / "statistics.json").read_text(encoding="utf-8"))["figures"]
PAGE = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")


def _tables() -> list[dict[int, list[str]]]:
    """Seeds → cells, of each table whose rows are seeds."""
    found = re.findall(r"\| seeds \| 0 pp .*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE)
    rows = [[line.strip("|").split("|") for line in table.splitlines()] for table in found]
    return [{int(cells[0]): [cell.strip() for cell in cells[1:]] for cells in table} for table in rows]


@pytest.mark.parametrize("seeds", [1, 2, 3, 5, 8])
def test_the_tables_are_the_benchmarks(seeds: int) -> None:
    claims, detectable = _tables()
    worlds = [f"{seeds}_seeds_{points}_pp" for points in range(4)]
    assert claims[seeds] == [f"{100 * FIGURES[f'false_positive_rate_{world}']:.1f} %" for world in worlds]
    powers = [FIGURES.get(f"power_at_1_5_mde_{world}") for world in worlds]
    found = ["–" if power is None else f"{100 * power:.0f} %" for power in powers]
    effects = [f"{100 * FIGURES[f'minimum_detectable_effect_{world}']:.1f} pp" for world in worlds]
    assert detectable[seeds] == [" · ".join(cells) for cells in zip(effects, found, strict=True)]


def test_false_claims_stay_below_five_per_cent() -> None:
    assert FIGURES["false_positive_rate"] <= 0.05
    assert FIGURES["interval_width_ratio_of_duplicated_prompts"] == 1
