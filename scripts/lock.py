"""Resolve envs/<device>/<name>.in into envs/<device>/<name>.txt: every package, with hashes.

Links are passed over. Pins stay as they are unless their source excludes them or `--upgrade` is given.
"""

import argparse
import os
import re
import subprocess
from pathlib import Path

from prefsweep.environments import DEVICES, LOCKS, pip_command, uv_binary
from prefsweep.files import write_text
from prefsweep.package_sources import (
    certificate_environment,
    index_arguments,
    index_environment,
    pip_settings,
    wheel_environment,
)

ORDER = ("workflow", "develop", "audit", "train", "serve", "evaluate", "track")
"""`develop` takes its versions from the lock of `workflow`."""
TARGET = ("--python-version=3.11", "--python-platform=x86_64-manylinux_2_28")
HEADER = "--custom-compile-command=python scripts/lock.py"


def main() -> None:
    """Regenerate every lock."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--upgrade", action="store_true", help="move every pin to its newest allowed version")
    upgrade = ["--upgrade"] * parser.parse_args().upgrade
    for device in DEVICES:
        for name in ORDER:
            source = LOCKS / device / f"{name}.in"
            if not source.is_symlink():
                _lock(source, device, upgrade)


def _lock(source: Path, device: str, upgrade: list[str]) -> None:
    """Write the lock of one source beside it, from the main index alone, which knows all files' hashes."""
    lock = source.with_suffix(".txt")
    overrides = source.with_suffix(".override.in")
    settings = pip_settings(pip_command())
    arguments = index_arguments(settings) + upgrade
    sources = index_environment(settings) | wheel_environment(settings, source)
    if overrides.exists():
        arguments.append(f"--override={overrides.relative_to(LOCKS.parent)}")
    command = [
        str(uv_binary(device)),
        "pip",
        "compile",
        "--quiet",
        "--generate-hashes",
        HEADER,
        *TARGET,
        *arguments,
    ]
    files = [str(source.relative_to(LOCKS.parent)), f"--output-file={lock.relative_to(LOCKS.parent)}"]
    subprocess.run([*command, *files], check=True, cwd=LOCKS.parent, env=certificate_environment(settings) | sources)
    write_text(lock, _exact_torch(lock.read_text("utf-8")))
    print(os.path.relpath(lock))


def _exact_torch(lock: str) -> str:
    """`torch==2` is also satisfied by 2+cpu, say from a wheel folder; `torch===2` is not."""
    return re.sub(r"^torch==(?=[\d.]+ )", "torch===", lock, flags=re.MULTILINE)


if __name__ == "__main__":
    main()
