"""What jobs of the serving environment start from in these tests: a prepared study, and a `vllm` that is not vLLM."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from prefsweep.environments import ensure, python_of
from prefsweep.records.audit import DataAudit
from prefsweep.records.base import hashed_files
from tests.example_study import Shape, build_study
from tests.fake_server import fake_vllm
from tests.real_project import ROOT
from tests.workflow.conftest import HANGING_SECONDS


def serving_environment(folder: Path) -> Path:
    """The serving environment's Python, in an environment in `folder` whose `vllm` is the fake server."""
    ensure(["serve", "evaluate"], "cpu")
    serve = python_of("serve", "cpu").parents[1]
    (folder / "bin").mkdir()
    shutil.copy2(serve / "pyvenv.cfg", folder)
    (folder / "lib").symlink_to(serve / "lib")
    (folder / "bin" / "python").symlink_to(python_of("serve", "cpu"))
    fake_vllm(folder / "bin")
    return folder / "bin" / "python"


def attested_study(folder: Path, shape: Shape) -> Path:
    """A made-up study whose held-out prompts are as they were prepared."""
    study = build_study(folder, shape)
    data = study / "data"
    attested = [file for file in hashed_files(data) if file.name == "heldout.jsonl"]
    DataAudit.read(data / "data.json").model_copy(update={"files": attested}).write(data / "data.json")
    return study


def measure(serve_python: Path, study: Path, run: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit status and output of the job that measures a run, with the real clients and lm-eval."""
    evaluate = [str(python_of("evaluate", "cpu")), str(ROOT / "scripts" / "evaluate.py")]
    command = [str(serve_python), str(ROOT / "scripts" / "measure.py"), "--plan", str(study / "plan.json")]
    command += ["--run", run, "--data", str(study / "data"), "--tasks", str(ROOT / "config" / "tasks")]
    command += ["--evaluate", *evaluate, "--output", str(study / "runs" / run), *arguments]
    return outcome_of(command, **environment)


def outcome_of(command: Sequence[str], faults: str = "", **environment: str) -> tuple[int, str]:
    """Exit status and output of a job whose fake server has these faults."""
    outcome = subprocess.run(
        command,
        env=os.environ | {"FAKE_FAULTS": faults} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=HANGING_SECONDS,
    )
    return outcome.returncode, outcome.stdout
