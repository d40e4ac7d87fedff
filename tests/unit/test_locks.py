"""Every environment is pinned with hashes, from indexes alone, so that a source can be slow but not wrong."""

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from prefsweep.environments import LOCKS

FILES = sorted(LOCKS.glob("*/*.txt"))
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def entries(lock: Path) -> list[str]:
    """A lock's requirements, each with its hashes; comments are left out."""
    lines = [line.partition("#")[0].rstrip() for line in lock.read_text(encoding="utf-8").splitlines()]
    text = "\n".join(line for line in lines if line.strip())
    return [entry for entry in text.replace("\\\n", " ").split("\n") if entry]


@pytest.mark.parametrize("lock", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_entry_is_one_version_with_hashes(lock: Path) -> None:
    found = entries(lock)
    assert len(found) > 20
    for entry in found:
        requirement = Requirement(entry.partition("--hash")[0])
        assert requirement.url is None, entry
        assert re.fullmatch(r"={2,3}[^*,]+", str(requirement.specifier)), entry
        assert HASH.findall(entry), entry
        assert not HASH.sub("", entry).count("--"), entry
