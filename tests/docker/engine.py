"""A Docker engine to test with: the one that answers, or one started for these tests and stopped after them."""

import ctypes
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import debian

_START_SECONDS = 60
_DISK_BYTES = 20e9
_PR_SET_PDEATHSIG = 1


class EngineMissing(Exception):
    """No engine answers and none can be started; the message says why."""


@dataclass(frozen=True)
class Engine:
    """The docker command and the address of its engine, None for the default one."""

    docker: str
    address: str | None = None

    def __call__(self, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess[str]:
        """Run `docker ARGUMENTS`; stdout and stderr together."""
        environment = os.environ | {"DOCKER_BUILDKIT": "1"} | ({"DOCKER_HOST": self.address} if self.address else {})
        done = subprocess.run(
            [self.docker, *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        assert done.returncode == 0 or not check, f"docker {' '.join(arguments)}\n{done.stdout}"
        return done

    def answers(self) -> bool:
        return self("info", check=False).returncode == 0


@contextmanager
def engine() -> Iterator[Engine]:
    """Raises EngineMissing, NotInstallable."""
    if (docker := shutil.which("docker")) and (present := Engine(docker)).answers():
        yield present
        return
    if os.geteuid() != 0:
        raise EngineMissing("no Docker engine answers, and only root can start one")
    debian.ensure(["dockerd"], ["docker.io"], recommended=True)
    with tempfile.TemporaryDirectory(prefix="prefsweep-docker-", ignore_cleanup_errors=True) as folder:
        if (free := shutil.disk_usage(folder).free) < _DISK_BYTES:
            raise EngineMissing(
                f"images need {_DISK_BYTES / 1e9:.0f} GB of disk, {free / 1e9:.0f} are free in {folder}"
            )
        started = Engine("/usr/bin/docker", f"unix://{folder}/socket")
        with _daemon(Path(folder), started):
            yield started


@contextmanager
def _daemon(folder: Path, client: Engine) -> Iterator[None]:
    log = (folder / "log").open("w")
    command = ["dockerd", f"--host={client.address}", f"--data-root={folder}/data", f"--exec-root={folder}/exec"]
    command.append(f"--pidfile={folder}/pid")
    process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_end_with_these_tests)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not client.answers():
            if process.poll() is not None or time.monotonic() > deadline:
                last = (folder / "log").read_text().splitlines()[-5:]
                raise EngineMissing("dockerd does not start here:\n" + "\n".join(last))
            time.sleep(0.5)
        yield
        client("system", "prune", "--all", "--volumes", "--force", check=False)
    finally:
        process.terminate()
        process.wait(timeout=60)


def _end_with_these_tests() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def base_image(client: Engine, scratch: Path, pip_options: Sequence[tuple[str, list[str]]]) -> str | None:
    """None where a registry can be reached, so that the Dockerfile's own base is used; else a bare Debian 12.

    It gets what this machine needs to reach packages: certificates and pip's configuration, with its wheel folders.
    Raises EngineMissing, NotInstallable.
    """
    if client("pull", "--quiet", "debian:bookworm-slim", check=False).returncode == 0:
        return None
    debian.ensure(["debootstrap"], ["debootstrap"], recommended=True)
    root = scratch / "root"
    command = ["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", str(root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise EngineMissing(f"no registry can be reached, and debootstrap failed:\n{done.stdout[-500:]}")
    certificates = Path("/etc/ssl/certs/ca-certificates.crt")
    shutil.copy2(certificates, root / certificates.relative_to("/"))
    lines = ["[global]"]
    for option, values in pip_options:
        lines.append(f"{option} = {' '.join(values)}")
        for folder in (Path(value) for value in values if option == "find-links" and Path(value).is_dir()):
            shutil.copytree(folder, root / folder.relative_to("/"))
    (root / "etc" / "pip.conf").write_text("\n".join(lines) + "\n")
    packed = scratch / "root.tar"
    subprocess.run(["tar", "--directory", str(root), "--create", "--file", str(packed), "."], check=True)
    client("import", str(packed), "prefsweep-test-base")
    shutil.rmtree(root)
    packed.unlink()
    if (probe := client("run", "--rm", "prefsweep-test-base", "apt-get", "update", check=False)).returncode:
        raise EngineMissing(f"containers reach no package archive here:\n{probe.stdout[-500:]}")
    return "prefsweep-test-base"
