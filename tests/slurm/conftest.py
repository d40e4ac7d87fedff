"""A real Slurm for the session, installed from Debian's packages where it is missing, and a project that uses it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.slurm.cluster import Cluster
from tests.slurm.site import Site
from tests.workflow.conftest import new_project

DAEMONS = ("slurmctld", "slurmd", "munged")
PACKAGES = ("slurm-wlm", "munge")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes, two of them with GPUs; switched off whatever happens."""
    _install()
    # A short path: munge's socket must fit into 108 bytes.
    with tempfile.TemporaryDirectory(prefix="slurm-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture
def site(cluster: Cluster, tmp_path: Path) -> Site:
    """A fresh checkout whose Slurm profile was edited for this cluster, as docs/cluster.md says."""
    site = Site(new_project(tmp_path / "project"), cluster)
    site.prepare()
    return site


def _install() -> None:
    """Install Slurm, or skip with the reason why not."""
    if os.geteuid() != 0:
        pytest.skip("Slurm's daemons need root, and this is not root")
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    if all(shutil.which(daemon, path=path) for daemon in DAEMONS):
        return
    if not shutil.which("apt-get"):
        pytest.skip(f"{', '.join(DAEMONS)} are not installed, and there is no apt-get to install them with")
    # Run level 1: the packages' own daemons are not to be started.
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES]
    for command in (install, ["apt-get", "update"], install):
        outcome = subprocess.run(command, env=quiet, capture_output=True, text=True)
        if command is install and outcome.returncode == 0:
            return
    pytest.skip(f"apt-get cannot install {' '.join(PACKAGES)}: {outcome.stderr.strip().splitlines()[-1:]}")
