"""What limits the answer: each said once, what the answer may really be about first, speeds last."""

from dataclasses import replace
from pathlib import Path

from compare import compared
from prefsweep.page import render_page
from prefsweep.results import read_study
from prefsweep.summary import CAVEATS_IN_THE_OPEN, caveats
from tests.example_study import Shape, build_study


def test_the_gravest_limits_come_first_and_the_rest_is_folded(tmp_path: Path) -> None:
    shape = Shape(methods=("dpo", "cpo"), seeds=(0, 1), heldout=12, showcase=1, steps=3)
    study = read_study(build_study(tmp_path, shape))
    assert study.traits
    rules = [rule.model_copy(update={"test": 1.0}) for rule in study.traits.baselines]
    rule = "“the longer answer” alone picks the chosen answer of 99 % of the held-out pairs."
    assert rule in caveats(study, compared(study))
    study = replace(study, traits=study.traits.model_copy(update={"baselines": rules}))
    comparison = compared(study)
    found = caveats(study, comparison)
    assert rule not in found, "what is said more strongly is not said again"
    assert all(text.endswith(".") for text in found)
    assert len(set(found)) == len(found) > CAVEATS_IN_THE_OPEN

    def place(start: str) -> int:
        return next(number for number, text in enumerate(found) if text.startswith(start))

    ordered = [
        place(start) for start in ("No method beats", "2 seeds", "1 training row repeating", "Every method is run")
    ]
    assert ordered == sorted(ordered)
    lacking = comparison.model_copy(update={"notices": ["preference_accuracy_normalised is missing in dpo/seed-1"]})
    assert "preference accuracy normalised is missing in dpo/seed-1." in caveats(study, lacking)
    page = render_page(study, comparison)
    in_the_open, _, folded = page.partition("What limits this answer")[2].partition("<details>")
    assert in_the_open.count("<li>") == CAVEATS_IN_THE_OPEN
    assert folded.partition("</details>")[0].count("<li>") == len(found) - CAVEATS_IN_THE_OPEN
    assert f"{len(found) - CAVEATS_IN_THE_OPEN} more, less grave" in folded
