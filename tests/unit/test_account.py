"""What a sceptic reads beside the verdicts."""

from pathlib import Path

from compare import compared
from prefsweep.account import provenance
from prefsweep.results import read_study
from tests.example_study import Shape, build_study


def test_differences_stand_beside_those_by_other_means(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, Shape(methods=("dpo", "kto"), failed=("kto",))))
    [row] = provenance(study, compared(study))["cross_checks"]["rows"]
    bootstrap, two_way, _, exact = row["cells"]
    assert row["method"] == "dpo"
    assert abs(float(bootstrap.removesuffix(" pp")) - float(two_way.removesuffix(" pp"))) < 1
    assert exact.startswith(("0.", "< 0.001")), "one seed"


def test_with_several_seeds_there_is_no_mcnemar(tmp_path: Path) -> None:
    study = read_study(build_study(tmp_path, Shape(methods=("dpo",), seeds=(0, 1))))
    [row] = provenance(study, compared(study))["cross_checks"]["rows"]
    assert row["cells"][-1] == "n/a"
