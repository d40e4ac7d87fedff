"""Which modules count as a script's code."""

from pathlib import Path

from prefsweep.code import imported_modules

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def modules(script: str) -> set[str]:
    return {path.name for path in imported_modules(SCRIPTS / script)}


def test_imports_are_followed_and_others_left_out() -> None:
    train = modules("train.py")
    assert {"train.py", "fitting.py", "swift_settings.py", "files.py"} <= train
    assert not {"page.py", "serving.py", "statistics.py", "style.py", "training.py"} & train


def test_imports_inside_functions_count() -> None:
    assert "timing.py" in modules("measure.py")
    assert "training.py" in modules("fit.py")


def test_what_runs_beside_lm_eval_needs_little_of_this_project() -> None:
    assert modules("evaluate.py") == {"evaluate.py", "lm_eval_form.py"}
