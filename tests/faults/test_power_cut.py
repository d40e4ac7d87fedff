"""A power cut: what was not synced is lost, and what counts as finished is whole nevertheless.

The disk is `volatile_disk.py`: a real file system, which forgets.
"""

import json
from contextlib import suppress
from pathlib import Path

import pytest

from prefsweep.files import published_directory, sha256_of, write_json, write_text
from tests.faults.mounts import NEVER, mounted, require_fuse

SURVIVES = pytest.mark.parametrize("survives", ["synced", "named"])
MOST_CHANGES = 40
"""More than a publication makes."""
WEIGHTS = {"weights": bytes(10_000), "more/config": b"{}"}


@pytest.fixture(autouse=True, scope="module")
def fuse() -> None:
    require_fuse()


@SURVIVES
def test_the_disk_forgets_what_was_not_synced(tmp_path: Path, survives: str) -> None:
    disk, mount = tmp_path / "disk", tmp_path / "mount"
    disk.mkdir()
    (disk / "log").write_text("before")
    with mounted("volatile_disk", disk, mount, survives, str(NEVER)):
        (mount / "log").write_text("after")
        (mount / "careless").write_text("not synced")
        (mount / "careless").rename(mount / "record.json")
        write_text(mount / "folder" / "record.json", "synced")
        (mount / "folder").rename(mount / "moved")
        assert (mount / "record.json").read_text() == "not synced"
    found = {str(file.relative_to(disk)): file.read_text() for file in disk.rglob("*") if file.is_file()}
    if survives == "synced":
        assert found == {"log": "before", "folder/record.json": "synced"}
    else:
        assert found == {"log": "", "record.json": "", "moved/record.json": "synced"}


@SURVIVES
def test_a_record_vouches_for_nothing_that_a_power_cut_took(tmp_path: Path, survives: str) -> None:
    """Cut before each change of a second publication, in turn: the record is the first or the second, and whole."""
    versions: list[int] = []
    for moment in range(MOST_CHANGES):
        disk, mount = tmp_path / f"disk-{moment}", tmp_path / "mount"
        publish(disk, 1)
        with mounted("volatile_disk", disk, mount, survives, str(moment)), suppress(OSError):
            publish(mount, 2)
            (mount / "further").touch()
        record = json.loads((disk / "record.json").read_text())
        versions.append(record["version"])
        if record["version"] == 2:
            assert record["files"] == hashes(disk / "model")
            break
    assert versions == [1] * moment + [2]
    assert moment > len(WEIGHTS), "the first cuts came before it"


def publish(folder: Path, version: int) -> None:
    """Weights, and the record that names their hashes, as stages do."""
    with published_directory(folder / "model") as model:
        (model / "more").mkdir()
        for name, content in WEIGHTS.items():
            (model / name).write_bytes(content + bytes([version]))
    write_json(folder / "record.json", {"version": version, "files": hashes(folder / "model")})


def hashes(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): sha256_of(file) for file in sorted(folder.rglob("*")) if file.is_file()}
