"""Scores as an array: what a prompt lacks stays absent."""

import numpy as np

from prefsweep.metrics import METRICS
from prefsweep.pairing import HalfPrompts
from prefsweep.records.score import PromptScores, Scores
from prefsweep.score_table import ScoreTable

ROWS = [
    PromptScores(prompt="a", cluster="x", part="heldout", half="test", metrics={"words": 1.0}),
    PromptScores(prompt="b", cluster="y", part="heldout", half="development", metrics={"emoji": 2.0, "words": 4.0}),
    PromptScores(prompt="c", cluster="x", part="heldout", half="test", metrics={"emoji": 0.0}),
    PromptScores(prompt="s", cluster="s", part="showcase", half=None, metrics={"words": 100.0}),
]
TABLE = ScoreTable.of(Scores(run="r", prompts=ROWS))


def test_it_holds_what_the_records_hold() -> None:
    assert TABLE.metrics == ("words", "emoji")
    assert TABLE.by_prompt() == {row.prompt: row.metrics for row in ROWS}


def test_means_are_over_the_held_out_prompts_that_have_the_metric() -> None:
    assert TABLE.mean("words") == 2.5
    assert TABLE.mean("words", "test") == 1.0
    assert TABLE.mean("emoji", "test") == 0.0
    assert TABLE.mean("repetition") is None
    assert ScoreTable.of(Scores(run="r", prompts=[])).mean("words") is None


def test_a_half_takes_its_prompts_by_id_and_leaves_gaps_where_a_run_has_none() -> None:
    other = ScoreTable.of(Scores(run="o", prompts=[ROWS[2], ROWS[0].model_copy(update={"prompt": "d"})]))
    half = HalfPrompts.of([TABLE, other], "test")
    assert half.ids == ("a", "c", "d")
    assert half.clusters.tolist() == [0, 0, 0]
    metrics = [METRICS["repetition"], METRICS["emoji"], METRICS["words"]]
    nan = float("nan")
    for table, emoji, words in ((TABLE, [nan, 0, nan], [1, nan, nan]), (other, [nan, 0, nan], [nan, nan, 1])):
        np.testing.assert_array_equal(half.table(table, metrics), [[nan] * 3, emoji, words])
