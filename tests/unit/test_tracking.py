"""Where training curves go: a folder of the run, and no network unless the caller's environment asks for it."""

from pathlib import Path

import pytest

from prefsweep.attestation import artefacts
from prefsweep.tracking import tracking_environment

FOLDER = Path("/run/tracking")


def test_everything_lands_below_the_run_and_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = {
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    for name in (*silent, "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    found = tracking_environment(FOLDER, [])
    assert {name: found.pop(name) for name in silent} == silent
    assert all("/run/tracking" in value for value in found.values())


def test_a_caller_who_asks_for_a_server_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracking:5000")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "/elsewhere")
    found = tracking_environment(FOLDER, [])
    assert (found["WANDB_MODE"], found["MLFLOW_TRACKING_URI"]) == ("online", "http://tracking:5000")
    assert found["TENSORBOARD_LOGGING_DIR"] == "/run/tracking/tensorboard"


def test_an_integration_gets_its_own_secret_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    secrets = {"WANDB_API_KEY", "HF_TOKEN"}
    for name in secrets:
        monkeypatch.setenv(name, "canary")
    assert secrets & tracking_environment(FOLDER, ["tensorboard", "wandb"]).keys() == {"WANDB_API_KEY"}


def test_curves_that_a_viewer_may_touch_are_no_artefacts(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "dpo-00000000" / "seed-0"
    for path in (run / "tracking" / "mlflow.db", run / "train.json"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    assert [file.name for file in artefacts(tmp_path)] == ["runs/dpo-00000000/seed-0/train.json"]
