"""The catalogue of protections: each is where it is said to be, has a test, and no row of the matrix is forgotten."""

import ast
import json
import re
from pathlib import Path

import pytest

from benchmarks.protections import Protection, gates, key_of, look, read_catalogue

ROOT = Path(__file__).resolve().parents[2]
CATALOGUE = read_catalogue()
GATES = ROOT / "scripts" / "prefsweep" / "gates"


@pytest.mark.parametrize("one", CATALOGUE.protections, ids=lambda one: one.what)
def test_each_is_there_once_and_its_test_exists(one: Protection) -> None:
    changed = one.taken_out(ROOT)
    if one.file.endswith(".py"):
        compile(changed, one.file, "exec")
    file, _, name = one.test.partition("::")
    assert f"def {name.partition('[')[0]}(" in (ROOT / "tests" / file).read_text(encoding="utf-8")


def test_every_row_of_the_matrix_has_one_or_a_reason() -> None:
    matrix = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    cells = re.findall(r"^\| ([A-Z]\d+(?:, [A-Z]\d+)*) \|", matrix, re.MULTILINE)
    promised = {row for cell in cells for row in cell.split(", ")}
    named = {row for one in CATALOGUE.protections for row in one.rows} - gates()
    assert len(promised) == 68
    assert named | CATALOGUE.without.keys() == promised
    assert not named & CATALOGUE.without.keys()


def test_the_page_says_how_many_were_seen_to_fail() -> None:
    matrix = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    record = json.loads((ROOT / "benchmarks" / "results" / "protections.json").read_text(encoding="utf-8"))
    said = (
        "When it was last run there were {protections:.0f}: {seen_to_fail:.0f} were seen to fail, {not_seen:.0f} were "
        "not, and {not_looked_at:.0f} were not looked at"
    )
    assert said.format(**record["figures"]) in " ".join(matrix.split())


def test_every_check_of_every_gate_has_one() -> None:
    """Each `raise` of a gate is behind a text that is taken out."""
    for file in GATES.glob("[!_]*.py"):
        written = file.read_text(encoding="utf-8")
        texts = [one.text for one in CATALOGUE.protections if one.file == str(file.relative_to(ROOT))]
        lines = {written[: written.index(text)].count("\n") + 1 for text in texts}
        for check in ast.walk(ast.parse(written)):
            if isinstance(check, ast.If | ast.For) and any(isinstance(line, ast.Raise) for line in check.body):
                assert any(check.lineno <= line <= check.body[-1].lineno for line in lines), f"{file}:{check.lineno}"


GUARD = "def guarded(value):\n    if value < 0:\n        raise ValueError(value)\n    return value\n"
TEST = """
import pytest
from guard import guarded
@pytest.fixture
def two():
    return guarded(2)
def test_negative(two):
    with pytest.raises(ValueError):
        guarded(-1)
    assert two == 2
"""
CHANGES = {
    "if False:": (True, "Failed: DID NOT RAISE"),
    "if value <= -1:": (False, "the test passes"),
    "if value > 0:": (False, "error in test_negative"),
    "if value <:": (False, "error in tests.test_guard: collection failure"),
}


def test_it_is_seen_only_where_the_test_itself_fails(tmp_path: Path) -> None:
    """Neither where it still passes, nor where a fixture fails or nothing can be imported."""
    (tmp_path / "tests").mkdir()
    (tmp_path / "guard.py").write_text(GUARD)
    (tmp_path / "tests" / "test_guard.py").write_text(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{TEST}")
    entry = {"rows": [], "what": "", "file": "guard.py", "text": "if value < 0:", "test": "test_guard.py"}
    chosen = [Protection(instead=instead, **entry) for instead in CHANGES]
    kept = tmp_path / "kept.jsonl"
    seen = look(chosen, tmp_path, kept)
    for one, (failed, how) in zip(chosen, CHANGES.values(), strict=True):
        found = seen[key_of(one, tmp_path)]
        assert found.failed == failed
        assert found.how.startswith(how)
    assert (tmp_path / "guard.py").read_text() == GUARD
    assert len(kept.read_text().splitlines()) == 1, "what was not seen is looked at again"
    (tmp_path / "guard.py").write_text(GUARD.replace("value < 0", "value < -9") + "# if value < 0:\n")
    with pytest.raises(SystemExit, match="with every protection in place: Failed: DID NOT RAISE"):
        look(chosen, tmp_path, None)
