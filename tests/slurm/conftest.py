"""A real Slurm for the session, installed from Debian's packages where it is missing, and a project that uses it."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import debian
from tests.slurm import accounting
from tests.slurm.cluster import Cluster
from tests.slurm.site import Site
from tests.workflow.conftest import new_project

DAEMONS = ("slurmctld", "slurmd", "munged")
PACKAGES = ("slurm-wlm", "munge")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A cluster that keeps no accounts."""
    _install(DAEMONS, PACKAGES)
    with _switched_on(keeps_accounts=False) as cluster:
        yield cluster


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Site:
    """A fresh checkout whose Slurm profile was edited for this cluster, as docs/cluster.md says."""
    return _site(cluster, tmp_path)


@pytest.fixture
def accounted_site(tmp_path: Path) -> Iterator[Site]:
    """The same where accounts are kept, which is also what makes Slurm enforce memory limits here."""
    _install((*DAEMONS, *accounting.DAEMONS), (*PACKAGES, *accounting.PACKAGES))
    with _switched_on(keeps_accounts=True) as cluster:
        yield _site(cluster, tmp_path)


@contextmanager
def _switched_on(*, keeps_accounts: bool) -> Iterator[Cluster]:
    """Three nodes, two of them with GPUs; switched off whatever happens."""
    # A short path: munge's socket must fit into 108 bytes.
    with tempfile.TemporaryDirectory(prefix="slurm-") as directory:
        cluster = Cluster(Path(directory), keeps_accounts=keeps_accounts)
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


def _site(cluster: Cluster, directory: Path) -> Site:
    site = Site(new_project(directory / "project"), cluster)
    site.prepare()
    return site


def _install(daemons: Sequence[str], packages: Sequence[str]) -> None:
    """Install what is missing, or skip with the reason why not."""
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root, and this is not root")
    try:
        debian.ensure(daemons, packages)
    except debian.NotInstallable as reason:
        pytest.skip(f"no Slurm here: {reason}")
