"""lm-eval is asked once which tasks it has."""

import sys
from pathlib import Path

import pytest

from index_tasks import members
from prefsweep.failures import StageError
from prefsweep.task_index import TaskFacts, TaskIndex, kept_index, read_index

ONE = TaskIndex(lm_eval="1", tasks={"a": TaskFacts.of({"task": "a"})}, groups={})


def asks(folder: Path) -> Path:
    """Stands in for scripts/index_tasks.py: counts how often it is asked."""
    script = folder / "index.py"
    answer = f"open(sys.argv[2], 'w').write({ONE.model_dump_json()!r})"
    script.write_text(f"import sys\nopen({str(folder / 'asked')!r}, 'a').write('.')\n{answer}\n")
    return script


def test_what_was_asked_once_is_kept(tmp_path: Path) -> None:
    script, file = asks(tmp_path), tmp_path / "kept.json"
    assert kept_index(file) is None
    for _ in range(2):
        assert read_index(file, Path(sys.executable), script) == ONE
    assert (tmp_path / "asked").read_text() == "."
    assert kept_index(file) == ONE


def test_what_another_version_kept_is_asked_again(tmp_path: Path) -> None:
    script, file = asks(tmp_path), tmp_path / "kept.json"
    file.write_text("{}")
    assert read_index(file, Path(sys.executable), script) == ONE


def test_lm_evals_own_fault_is_said(tmp_path: Path) -> None:
    script = tmp_path / "index.py"
    script.write_text("raise SystemExit('no module named lm_eval')")
    with pytest.raises(StageError, match="lm-eval cannot list its tasks: no module named lm_eval"):
        read_index(tmp_path / "kept.json", Path(sys.executable), script)


def test_a_groups_members_are_named_wherever_they_are_defined() -> None:
    items = ["a", {"task": "b", "num_fewshot": 0}, {"group": "c"}, {"group": "d", "task": ["e", {"task": "f"}]}]
    assert [*members({"group": "g", "task": items})] == ["a", "b", "c", "e", "f"]
    assert [*members({"group": "g"})] == []


def test_a_groups_tasks_are_those_of_all_its_groups_once() -> None:
    index = ONE.model_copy(update={"groups": {"g": ["h", "a"], "h": ["a", "i", "g"], "i": ["b"]}})
    assert index.leaves("g") == ["a", "b"]
    assert index.leaves("a") == ["a"]


@pytest.mark.parametrize(
    ("definition", "expected"),
    [
        ({"output_type": "generate_until", "num_fewshot": 5}, ("generate_until", 5, None, False)),
        ({"fewshot_config": {"samples": [1, 2]}, "unsafe_code": True}, (None, None, 2, True)),
        ({"fewshot_config": {"samples": "!function utils.list"}}, (None, None, None, False)),
    ],
)
def test_what_a_definition_says_of_its_settings(definition: dict[str, object], expected: tuple[object, ...]) -> None:
    facts = TaskFacts.of(definition)
    assert (facts.output_type, facts.num_fewshot, facts.examples, facts.unsafe_code) == expected
