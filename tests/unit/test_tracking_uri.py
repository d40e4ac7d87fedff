"""Where a study is logged to, and where not."""

from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.tracking_uri import artefact_folder, tracking_uri, without_account

SERVER = "https://ann:s%40cret@mlflow.example:5000"


@pytest.mark.parametrize("asked", [None, ""])
def test_without_a_server_it_is_a_file_among_the_results(asked: str | None, tmp_path: Path) -> None:
    uri = tracking_uri(asked, tmp_path)
    assert uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert artefact_folder(uri) == tmp_path / "artifacts"


@pytest.mark.parametrize("asked", [SERVER, "http://127.0.0.1:5000", "sqlite:////data/mlflow.db", "sqlite:///mlflow.db"])
def test_what_the_caller_asks_for_is_taken(asked: str, tmp_path: Path) -> None:
    assert tracking_uri(asked, tmp_path) == asked


def test_a_server_keeps_artefacts_itself() -> None:
    assert artefact_folder(SERVER) is None


@pytest.mark.parametrize("asked", ["mlruns", "file:///mlruns", "http://", "sqlite:///", "postgresql://ann:s3cret@db/x"])
def test_other_stores_are_refused_with_what_to_do(asked: str, tmp_path: Path) -> None:
    with pytest.raises(StageError, match="neither a server nor sqlite") as raised:
        tracking_uri(asked, tmp_path)
    assert "MLFLOW_TRACKING_URI" in raised.value.remedy
    assert "s3cret" not in str(raised.value)


def test_the_account_in_an_address_is_handed_on_beside_it_because_mlflow_prints_addresses() -> None:
    assert without_account(SERVER) == (
        "https://mlflow.example:5000",
        {"MLFLOW_TRACKING_USERNAME": "ann", "MLFLOW_TRACKING_PASSWORD": "s@cret"},
    )


@pytest.mark.parametrize("address", ["http://127.0.0.1:5000/mlflow", "sqlite:////data/mlflow.db"])
def test_an_address_without_an_account_stays_as_it_is(address: str) -> None:
    assert without_account(address) == (address, {})
