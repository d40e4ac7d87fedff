"""A copy of the project with stub engines in place of the real environments, so that tests may edit it."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest

from prefsweep.asked import Places
from prefsweep.environments import DEVICES, NAMES, lock_of
from prefsweep.failures import StageError
from prefsweep.files import sha256_of
from prefsweep.planning import plan_studies
from tests.fake_server import fake_vllm
from tests.tokenizer_model import write_tokenizer_model

ROOT = Path(__file__).resolve().parents[2]
COPIED = ("Snakefile", "rules", "scripts", "config", "profiles", "envs", "data", "tests")
HANGING_SECONDS = 300
"""No call takes nearly as long."""
STUDY = """\
study: tiny
model: {{path: {model}, model_type: llama, template: chatml}}
dataset: emoji-en
device: cpu
methods:
  dpo: {{beta: 0.1}}
  orpo: {{}}
  simpo: {{}}
  kto: {{}}
  cpo: {{}}
train: {{batch_size: 16}}
"""


@dataclass
class Project:
    """A checkout that Snakemake can run on, with environments of its own whatever the caller's are."""

    directory: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PREFSWEEP_ENVS": "", "PREFSWEEP_FORKS": "0"})

    def snakemake(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Snakemake on `study.yaml`; stdout and stderr together."""
        command = [sys.executable, "-m", "snakemake", *arguments, "--cores", "2", "--configfile", "study.yaml"]
        return subprocess.run(
            command,
            cwd=self.directory,
            env=os.environ | self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=HANGING_SECONDS,
        )

    def refused(self) -> str:
        """Why `study.yaml` cannot be planned, as rules/common.smk asks before anything else, and what to do.

        In this process, because a start of Snakemake takes seconds. What it makes of the two kinds of error is in
        test_bad_input.py.
        """
        models = self.directory / "models"
        places = Places(self.directory, models=models, downloads=models / "datasets", results=Path("results"))
        with chdir(self.directory), pytest.raises((ValueError, StageError)) as caught:
            plan_studies(Path("study.yaml"), {}, places)
        remedy = caught.value.remedy if isinstance(caught.value, StageError) else ""
        return f"{caught.value}\n{remedy}"

    def jobs(self, *arguments: str) -> dict[str, int]:
        """Rule → number of jobs that would run now, `all` left out."""
        output = self.snakemake("--dry-run", *arguments).stdout
        assert "Building DAG of jobs" in output, output
        assert "Exception" not in output, output  # which Snakemake swallows where another rule makes the file
        _, _, table = output.partition("Job stats:")
        rows = [line.split() for line in table.partition("total")[0].splitlines()]
        counted = {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
        counted.pop("all", None)
        return counted

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace text that occurs exactly once in a file."""
        file = self.directory / path
        text = file.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {path}"
        file.write_text(text.replace(old, new))

    @property
    def study(self) -> Path:
        return self.directory / "results" / "tiny"


def _write_stubs(environments: Path, project: Path) -> None:
    """Interpreters that hand their arguments to the stub, each with a stamp that says it is up to date.

    Beside the serving one is a `vllm` that is the fake server.
    """
    stub = project / "tests" / "workflow" / "stub_engine.py"
    for device, name in product(DEVICES, NAMES):
        python = environments / device / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        path = shlex.quote(f"{project}/scripts:{project}")
        python.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {shlex.join([sys.executable, str(stub)])} "$@"\n')
        python.chmod(0o755)
        if name == "serve":
            fake_vllm(python.parent)
        (environments / device / f"{name}.sha256").write_text(sha256_of(lock_of(name, device)))


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The study, run once to its end."""
    project = new_project(tmp_path_factory.mktemp("finished") / "project")
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    return project


def new_project(directory: Path) -> Project:
    """A checkout in `directory` with a study that was never run."""
    for name in COPIED:
        source = ROOT / name
        ignored = shutil.ignore_patterns("__pycache__")
        if source.is_dir():
            shutil.copytree(source, directory / name, symlinks=True, ignore=ignored)
        else:
            directory.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, directory / name)
    _write_stubs(directory / ".envs", directory)
    write_tokenizer_model(directory / "base-model")
    (directory / "study.yaml").write_text(STUDY.format(model="base-model"))
    return Project(directory)


@pytest.fixture
def project(finished: Project, tmp_path: Path) -> Iterator[Project]:
    """A copy of the finished study that one test may change."""
    copy = tmp_path / "project"
    shutil.copytree(finished.directory, copy, symlinks=True)
    _repoint(copy, finished.directory)
    yield Project(copy)
    shutil.rmtree(copy)


def _repoint(copy: Path, original: Path) -> None:
    """The stubs name the project they belong to."""
    for python in (copy / ".envs").glob("*/*/bin/python"):
        python.write_text(python.read_text().replace(str(original), str(copy)))
