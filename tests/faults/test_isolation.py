"""What befalls one run costs that run alone, is named for what it is, and is over once its cause is."""

import re

import pandas
import pytest

from tests.workflow.conftest import Project, new_project

DISASTERS = "train:dpo:memory train:orpo:killed train:simpo:hangs measure:kto:memory"
FAILED = {
    "dpo": ("train", "oom", "CUDA out of memory", "Lower train.batch_size"),
    "orpo": ("train", "killed", "killed without a word", "run the same command again"),
    "simpo": ("train", "timeout", "the trainer showed no sign of life for 3 s", "PREFSWEEP_STALL_SECONDS"),
    "kto": ("measure", "oom", "CUDA out of memory", "Lower train.batch_size"),
    "cpo": ("train", "nan", "step 7: the loss is nan", "Lower the learning rate"),
}
"""Method → what its row says: stage, class, part of the message; and part of the remedy."""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    found = new_project(tmp_path_factory.mktemp("isolation") / "project")
    with (found.directory / "study.yaml").open("a") as stream:
        stream.write("evaluate: {kl_from_base: false}\n")
    return found


def rows(project: Project) -> pandas.DataFrame:
    table = pandas.read_csv(project.study / "report" / "runs.csv", keep_default_na=False)
    return table.set_index("method")


def test_every_run_but_the_base_fails_in_its_own_way_and_once_in_a_call(project: Project) -> None:
    """Not tried again by itself: the same settings on the same machine end the same way."""
    disasters = {"STUB_DISASTERS": DISASTERS, "STUB_FAIL": "cpo", "PREFSWEEP_STALL_SECONDS": "3"}
    outcome = project.snakemake(**disasters)
    assert outcome.returncode == 1
    table = rows(project)
    assert table["status"].to_dict() == {"base": "finished"} | dict.fromkeys(FAILED, "failed")
    page = (project.study / "report" / "index.html").read_text()
    for method, (stage, failure, message, remedy) in FAILED.items():
        row = table.loc[method]
        assert (row["failure_stage"], row["failure_class"]) == (stage, failure), method
        assert message in row["failure_message"]
        assert message in page
        assert remedy in page
    again = project.snakemake(**disasters)
    assert again.returncode == 1
    started = re.findall(r"(?m)^Job \d+: (train|measure) ", again.stdout)
    assert sorted(started) == ["measure", "train", "train", "train", "train"], again.stdout


def test_the_exit_status_is_not_0_as_long_as_one_failed_and_a_report_is_always_made(project: Project) -> None:
    """One of six runs fails, then none; above, all that can."""
    outcome = project.snakemake(STUB_DISASTERS="measure:kto:killed")
    assert outcome.returncode == 1
    table = rows(project)
    assert table["status"].value_counts().to_dict() == {"finished": 5, "failed": 1}
    assert table.loc["kto", "failure_class"] == "killed"
    assert project.snakemake().returncode == 0
    assert set(rows(project)["status"]) == {"finished"}
    assert not list(project.study.rglob("failure-*.json"))
    assert not list(project.study.rglob(".room-*"))
