"""Problems of rows: counted, the first of each kind named, with what to do about it."""

from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.rows import DROPPABLE, REMEDIES, Problems, policy_of


def test_problems_are_counted_and_the_first_ten_listed(tmp_path: Path) -> None:
    problems = Problems()
    problems.raise_if_any()
    for line in range(1, 26):
        problems.add("empty text", tmp_path / "x.jsonl", line, "content is empty")
    problems.add("wrong label", tmp_path / "x.jsonl", 30, "label is 1")
    with pytest.raises(StageError) as caught:
        problems.raise_if_any()
    lines = str(caught.value).splitlines()
    assert lines[0] == "26 rows cannot be used"
    assert lines[1].startswith("empty text (25): ")
    assert lines[11].endswith("x.jsonl:10: content is empty")
    assert lines[12] == "  … and 15 more"
    assert lines[14].endswith("x.jsonl:30: label is 1")


def test_every_policy_is_about_a_kind_and_its_error_names_it(tmp_path: Path) -> None:
    assert set(DROPPABLE) <= {policy_of(kind) for kind in REMEDIES}
    problems = Problems()
    problems.add("equal answers", tmp_path, 1, "both are 'a'")
    problems.add("invalid JSON", tmp_path, 2, "Expecting value")
    with pytest.raises(StageError) as caught:
        problems.raise_if_any()
    text = str(caught.value)
    assert "drop such rows: `policies: {equal_answers: drop}`" in text
    assert "invalid_json" not in text
