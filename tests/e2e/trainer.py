"""Scripts of these tests that run in the trainer's environment, where torch and ms-swift are."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from prefsweep.environments import python_of
from tests.real_project import ROOT


def told_by(script: str, mark: str, *arguments: str, **environment: str) -> list[Any]:
    """Run `tests/e2e/SCRIPT`, which must succeed; returns the documents on the lines that begin with its mark."""
    outcome = subprocess.run(
        [str(python_of("train", "cpu")), str(ROOT / "tests" / "e2e" / script), *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout[-4000:]
    lines = outcome.stdout.splitlines()
    return [json.loads(line.removeprefix(mark)) for line in lines if line.startswith(mark)]


def write_tiny_model(directory: Path, *options: str) -> None:
    """A tiny random model, by `tests/tiny_models.py`."""
    script = str(ROOT / "tests" / "tiny_models.py")
    subprocess.run([str(python_of("train", "cpu")), script, str(directory), *options], check=True)
