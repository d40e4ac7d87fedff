"""Trainings that did not really train: failed runs of their class, which nothing is merged or served of.

That the real engine's are recognised as such is in tests/e2e/test_training_gates.py.
"""

import pandas

from tests.faults.conftest import Planning
from tests.workflow.conftest import STUDY

FAULTS = {
    "dpo": ("", "nan", "step 7: the loss is nan"),
    "orpo": ("frozen", "no_effect", "every LoRA B matrix is zero after training"),
    "simpo": ("lossy", "data", "the engine trained on 143 rows, 144 were prepared"),
    "cpo": ("short", "data", "35 optimiser steps, 36 were expected"),
}
"""Method → what its engine leaves of a training that ends (dpo's fails), the failure's class, part of its message."""


def test_what_did_not_train_is_a_failed_row_and_goes_no_further(planning: Planning) -> None:
    study = STUDY.format(model="base-model").replace("study: tiny", "study: untrained").replace("  kto: {}\n", "")
    (planning.folder / "study.yaml").write_text(study)
    told = " ".join(f"{method}:{left}" for method, (left, _, _) in FAULTS.items() if left)
    outcome = planning.project.snakemake(STUB_FAIL="dpo", STUB_FAULT=told)
    assert outcome.returncode == 1, outcome.stdout
    folder = planning.folder / "results" / "untrained"
    rows = pandas.read_csv(folder / "report" / "runs.csv", keep_default_na=False).set_index("method")
    assert rows["status"].to_dict() == {"base": "finished"} | dict.fromkeys(FAULTS, "failed")
    page = (folder / "report" / "index.html").read_text()
    for method, (_, failure, message) in FAULTS.items():
        row = rows.loc[method]
        assert (row["failure_stage"], row["failure_class"]) == ("train", failure), method
        assert message in row["failure_message"]
        assert message in page
        (run,) = folder.glob(f"runs/{method}-*/seed-0")
        assert {path.name for path in run.iterdir()} - {"logs", "run.json"} == {"failure-train.json"}
        assert [path.name for path in (run / "logs").iterdir()] == ["train.log"]
