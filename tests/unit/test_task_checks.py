"""Tasks that lm-eval would not run as a study asks are refused before anything is spent, with line and remedy."""

from pathlib import Path

import pytest

from prefsweep.methods import load_methods
from prefsweep.study import load_study
from prefsweep.study_problems import StudyError
from prefsweep.task_checks import check_tasks
from prefsweep.task_index import TaskFacts, TaskIndex

ROOT = Path(__file__).resolve().parents[2]
TASKS = ROOT / "config" / "tasks"
STUDY = "study: s\nmodel: m\ndataset: d\nmethods:\n  dpo:\nevaluate:\n  tasks:\n"


PLAIN = TaskFacts(output_type="multiple_choice", num_fewshot=None, examples=None, unsafe_code=False)
INDEX = TaskIndex(
    lm_eval="0.4.13",
    tasks={
        "arc_easy": PLAIN,
        "arc_challenge": PLAIN,
        "gsm8k": PLAIN.model_copy(update={"num_fewshot": 5}),
        "ifeval": PLAIN.model_copy(update={"num_fewshot": 0}),
        "humaneval": PLAIN.model_copy(update={"unsafe_code": True}),
    },
    groups={"ai2_arc": ["arc_easy", "arc_challenge"], "all": ["ai2_arc", "all", "ifeval", "defined in place"]},
)


def check(folder: Path, *entries: str, index: TaskIndex | None = INDEX) -> None:
    file = folder / "study.yaml"
    file.write_text(STUDY + "".join(f"    - {entry}\n" for entry in entries))
    config = load_study(file, {}, load_methods(ROOT / "config" / "methods"))
    check_tasks(file, config.evaluate, TASKS, lambda: index)


def refusal(folder: Path, *entries: str) -> str:
    with pytest.raises(StudyError) as caught:
        check(folder, *entries)
    return str(caught.value).removeprefix(f"{folder}/")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("gsm8", "gsm8: is no file in config/tasks/ and no task, group or tag of lm-eval 0.4.13; did you mean 'gsm8k'"),
        ("reasoning-answer", "did you mean 'reasoning-answers'"),
        ("zzz", "zzz: is no file in config/tasks/ and no task, group or tag of lm-eval 0.4.13; correct it, or add"),
        ("{name: ifeval, num_fewshot: 1}", "ifeval: is defined without solved examples, and lm-eval keeps to that"),
        ("{name: all, num_fewshot: 1}", "all: its task ifeval is defined without solved examples"),
        ("humaneval", "runs code that a model has written"),
        ("missing/own.yaml", "missing/own.yaml: there is no such file; correct the path"),
        ("{name: preference-accuracy, limit: 9}", "preference-accuracy: reads the study's own held-out rows"),
        ("{name: held-out-perplexity, num_fewshot: 0}", "has them; remove num_fewshot"),
        ("{name: reasoning-answers, num_fewshot: 5}", "has 4 solved examples of its own; lower num_fewshot"),
        (
            "{name: general-perplexity, apply_chat_template: true, num_fewshot: 2}",
            "scores whole texts, with nothing before them and as they are; remove num_fewshot and apply_chat_template",
        ),
    ],
)
def test_settings_that_would_be_passed_over_are_refused_with_their_line(
    tmp_path: Path, entry: str, expected: str
) -> None:
    found = refusal(tmp_path, "reasoning-choices", entry)
    assert found.startswith("study.yaml:9: evaluate.tasks.1: ")
    assert expected in found


def test_tasks_that_share_one_are_refused(tmp_path: Path) -> None:
    """lm-eval would stop at it, after everything was trained."""
    assert "evaluate.tasks.1: all: has arc_easy in common with ai2_arc" in refusal(tmp_path, "ai2_arc", "all")
    own = tmp_path / "own.yaml"
    own.write_text("task: reasoning-choices\ndataset_path: json\n")
    assert "has reasoning-choices in common with reasoning-choices" in refusal(tmp_path, "reasoning-choices", str(own))


def test_a_task_file_says_its_name(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("dataset_path: json\n")
    assert "does not say what lm-eval is to call it; add `task: own`" in refusal(tmp_path, str(own))


def test_names_are_taken_as_they_are_while_nothing_is_known_of_lm_evals(tmp_path: Path) -> None:
    check(tmp_path, "gsm8", "{name: ifeval, num_fewshot: 1}", index=None)


def test_lm_evals_tasks_are_not_looked_up_where_none_is_asked_for(tmp_path: Path) -> None:
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.partition("evaluate")[0])
    config = load_study(file, {}, load_methods(ROOT / "config" / "methods"))
    check_tasks(file, config.evaluate, TASKS, lambda: pytest.fail("looked up"))


def test_a_task_that_is_fixed_without_solved_examples_keeps_to_that(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("task: own\ndataset_path: json\nnum_fewshot: 0\ndataset_kwargs: {data_files: a.jsonl}\n")
    assert "lm-eval keeps to that; remove num_fewshot" in refusal(tmp_path, f"{{name: {own}, num_fewshot: 3}}")
    check(tmp_path, f"{{name: {own}, num_fewshot: 0}}")


def test_a_task_that_runs_what_a_model_wrote_is_refused(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("task: own\ndataset_path: json\nunsafe_code: true\n")
    assert "runs code that a model has written" in refusal(tmp_path, str(own))


def test_settings_that_count_are_taken(tmp_path: Path) -> None:
    entries = ("{name: reasoning-answers, num_fewshot: 0, limit: 4}", "{name: general-perplexity, limit: 2}")
    check(tmp_path, *entries, "{name: reasoning-choices, apply_chat_template: true}")
    check(tmp_path, "{name: gsm8k, num_fewshot: 8, limit: 9}", "{name: ifeval, num_fewshot: 0}", "ai2_arc")
