"""Trainings that did not really train: failed runs of their class, which nothing is merged or served of.

That the real engine's are recognised as such is in tests/e2e/test_training_gates.py.
"""

from pathlib import Path

import pandas
import pytest

from tests.faults.conftest import Planning
from tests.workflow.conftest import STUDY


def failed(planning: Planning, name: str, **environment: str) -> tuple[pandas.Series, Path]:
    """The row in runs.csv of a study's only trained run, and the study's folder."""
    head, _, _ = STUDY.format(model="base-model").partition("  orpo:")
    study = head.replace("study: tiny", f"study: {name}") + "train: {batch_size: 16}\n"
    (planning.folder / "study.yaml").write_text(study)
    outcome = planning.project.snakemake(**environment)
    assert outcome.returncode != 0
    folder = planning.folder / "results" / name
    runs = pandas.read_csv(folder / "report" / "runs.csv", keep_default_na=False)
    assert dict(zip(runs["method"], runs["status"], strict=True)) == {"base": "finished", "dpo": "failed"}
    return runs[runs["method"] == "dpo"].iloc[0], folder


@pytest.mark.parametrize(
    ("name", "environment", "failure", "message"),
    [
        ("t3", {"STUB_FAIL": "dpo"}, "nan", "step 7: the loss is nan"),
        ("t5", {"STUB_FAULT": "frozen"}, "no_effect", "every LoRA B matrix is zero after training"),
        ("t7", {"STUB_FAULT": "lossy"}, "data", "the engine trained on 143 rows, 144 were prepared"),
        ("t7-steps", {"STUB_FAULT": "cut short"}, "data", "35 optimiser steps, 36 were expected"),
    ],
)
def test_what_did_not_train_is_a_failed_row_and_goes_no_further(
    planning: Planning, name: str, environment: dict[str, str], failure: str, message: str
) -> None:
    row, folder = failed(planning, name, **environment)
    assert (row["failure_stage"], row["failure_class"]) == ("train", failure)
    assert message in row["failure_message"]
    page = (folder / "report" / "index.html").read_text()
    assert message in page
    (run,) = folder.glob("runs/dpo-*/seed-0")
    assert {path.name for path in run.iterdir()} - {"logs", "run.json"} == {"failure-train.json"}
    assert [path.name for path in (run / "logs").iterdir()] == ["train.log"]
