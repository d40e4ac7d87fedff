"""Debian packages that a suite needs and its machine lacks, installed as root."""

import os
import shutil
import subprocess
from collections.abc import Sequence


class NotInstallable(Exception):
    """Programs are missing and cannot be installed here; the message says why and what to do."""


def ensure(programs: Sequence[str], packages: Sequence[str], *, recommended: bool = False) -> None:
    """Install packages unless all programs are there, with what they recommend or without. Raises NotInstallable."""
    path = f"{os.environ['PATH']}:/usr/sbin:/sbin"
    missing = [program for program in programs if not shutil.which(program, path=path)]
    if not missing:
        return
    reason = f"{', '.join(missing)} not found"
    if not shutil.which("apt-get"):
        raise NotInstallable(f"{reason}, and there is no apt-get to install it with")
    if os.geteuid() != 0:
        raise NotInstallable(f"{reason}, and this is not root: apt-get install {' '.join(packages)}")
    # Run level 1: the packages' own daemons are not to be started.
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]  # somebody else's installation is waited for
    install = [*apt, "install", "--yes", *([] if recommended else ["--no-install-recommends"]), *packages]
    for command in (install, [*apt, "update"], install):
        outcome = subprocess.run(command, env=quiet, capture_output=True, text=True)
        if command is install and outcome.returncode == 0:
            return
    raise NotInstallable(f"{reason}, and apt-get cannot install it:\n{outcome.stderr[-500:]}")
