"""How many jobs of a study compute at once, and with how many threads: by cores, jobs and memory alone."""

import pytest

from prefsweep import cpu_share
from prefsweep.cpu_share import Share
from prefsweep.memory import installed_bytes

GB = 10**9


@pytest.mark.parametrize(
    ("cores", "jobs", "job_gb", "share"),
    [
        (2, 5, 1, Share(threads=1, jobs=2)),
        (2, 1, 1, Share(threads=2, jobs=1)),
        (16, 5, 1, Share(threads=3, jobs=5)),
        (16, 40, 4, Share(threads=4, jobs=4)),
        (4, 9, 100, Share(threads=4, jobs=1)),
    ],
)
def test_each_has_a_core_unless_jobs_or_memory_are_scarce(
    cores: int, jobs: int, job_gb: int, share: Share, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_share, "installed_bytes", lambda: 20 * GB)
    assert Share.of(cores, jobs, job_gb * GB) == share


def test_memory_is_what_this_machine_or_its_container_has() -> None:
    assert GB < installed_bytes() < 10**14
