"""A study in a real MLflow: in a sqlite file, once, as it is now; and what is said where there is no server."""

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from prefsweep.comparison import compared
from prefsweep.files import write_text
from prefsweep.records.train import TrainRecord
from prefsweep.report_tables import write_tables
from prefsweep.results import read_study
from tests.example_study import Shape, build_study
from tests.real_project import ROOT

SHAPE = Shape(methods=("dpo", "kto"), seeds=(0, 1), heldout=6, showcase=1, steps=3, failed=("kto",))
DPO = "dpo-00000000/seed-1"
RUNS = 1 + 3 + 5
"""The report, the points, the runs."""
_TAGGED = """
select tags.value, runs.run_uuid, runs.status, runs.lifecycle_stage from runs
join tags on tags.run_uuid = runs.run_uuid and tags.key = 'prefsweep.id'
"""


class Tracked:
    """A made-up study with its report, and the store that it is logged to."""

    def __init__(self, folder: Path, store: Path) -> None:
        self.folder, self.store = folder, store
        self.report()

    def report(self) -> None:
        study = read_study(self.folder)
        write_tables(study, compared(study), self.folder / "report")
        write_text(self.folder / "report" / "index.html", "<p>The page.</p>")

    def track(self, server: str | None = None) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
        command = [sys.executable, ROOT / "scripts" / "track.py", "--study-directories", self.folder]
        return subprocess.run(
            [*command, "--store", self.store],
            env=kept | ({"MLFLOW_TRACKING_URI": server, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"} if server else {}),
            capture_output=True,
            text=True,
        )

    def select(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.store / "mlflow.db")) as database:
            return database.execute(query, values).fetchall()

    def interrupt(self, run: str) -> None:
        """Leave a run as if logging it had ended halfway."""
        with closing(sqlite3.connect(self.store / "mlflow.db")) as database, database:
            database.execute("delete from tags where key = 'prefsweep.sha256' and run_uuid = ?", [self.runs()[run][0]])

    def runs(self) -> dict[str, tuple[str, str]]:
        """Id → MLflow's id and status, of those that were not deleted."""
        rows = [row for row in self.select(_TAGGED) if row[3] == "active"]
        assert len(rows) == len({row[0] for row in rows})
        return {name: (identifier, status) for name, identifier, status, _ in rows}


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Tracked:
    place = tmp_path_factory.mktemp("track")
    tracked = Tracked(build_study(place, SHAPE), place / ".mlflow")
    done = tracked.track()
    assert done.returncode == 0, done.stderr
    assert f"prefsweep/example: {RUNS} runs new, 0 replaced, 0 unchanged" in done.stderr
    return tracked


def test_the_study_is_there_with_its_numbers_curves_and_page(tracked: Tracked) -> None:
    runs = tracked.runs()
    assert {name: status for name, (_, status) in runs.items() if name.startswith("kto") or name == DPO} == {
        "kto-00000000": "FAILED", "kto-00000000/seed-0": "FAILED", "kto-00000000/seed-1": "FAILED", DPO: "FINISHED",
    }  # fmt: skip
    record = TrainRecord.read(tracked.folder / "runs" / DPO / "train.json")
    values = dict(tracked.select("select key, value from latest_metrics where run_uuid = ?", runs[DPO][0]))
    assert values["train_seconds"] == pytest.approx(record.train_seconds)
    curve = tracked.select(
        "select step, value from metrics where run_uuid = ? and key = 'train/loss' order by step", runs[DPO][0]
    )
    assert [pytest.approx(value) for _, value in curve] == [step.loss for step in record.history]
    parents = dict(tracked.select("select run_uuid, value from tags where key = 'mlflow.parentRunId'"))
    assert parents[runs[DPO][0]] == runs["dpo-00000000"][0]
    page = tracked.store / "artifacts" / runs["report"][0] / "artifacts" / "report" / "index.html"
    assert page.read_text() == "<p>The page.</p>"


def test_logged_again_nothing_is_there_twice_and_what_changed_or_was_cut_short_is_replaced(tracked: Tracked) -> None:
    before = tracked.runs()
    assert f"0 runs new, 0 replaced, {RUNS} unchanged" in tracked.track().stderr
    assert tracked.runs() == before
    path = tracked.folder / "runs" / "dpo-00000000" / "seed-0" / "train.json"
    TrainRecord.read(path).model_copy(update={"train_seconds": 1000.0}).write(path)
    refused = tracked.track()
    assert refused.returncode == 1
    assert "runs.csv is not what the records say now" in refused.stderr
    tracked.report()
    tracked.interrupt("kto-00000000/seed-0")
    done = tracked.track()
    assert done.returncode == 0, done.stderr
    after = tracked.runs()
    assert {name for name in after if after[name] != before[name]} == {
        "report", "dpo-00000000", "dpo-00000000/seed-0", "kto-00000000/seed-0",
    }  # fmt: skip
    parents = dict(tracked.select("select run_uuid, value from tags where key = 'mlflow.parentRunId'"))
    assert parents[after[DPO][0]] == after["dpo-00000000"][0]


def test_a_server_that_is_not_there_is_said_without_its_password(tracked: Tracked) -> None:
    refused = tracked.track("http://ann:hunter2@127.0.0.1:9")
    assert refused.returncode == 1
    assert "prefsweep/example was not logged" in refused.stderr
    assert "remedy: Check that what MLFLOW_TRACKING_URI names is running" in refused.stderr
    assert "hunter2" not in refused.stderr + refused.stdout
