"""A project whose study names a data set that each test makes; nothing is run beyond planning."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.serving_jobs import serving_environment
from tests.workflow.conftest import STUDY, Project, new_project

SOON_SECONDS = 60
"""Many times what a refusal takes, even on two busy cores: it tells a refusal from a training or a hang."""


@dataclass
class Planning:
    """`snakemake --dry-run` on a study with this data set."""

    project: Project

    @property
    def folder(self) -> Path:
        """Where relative paths of data start."""
        return self.project.directory

    def outcome(self, dataset: str, *arguments: str, **environment: str) -> tuple[int, str]:
        """Exit status and output; `dataset` is what stands after `dataset:`."""
        self._write_study(dataset)
        started = time.monotonic()
        outcome = self.project.snakemake(*(arguments or ("--dry-run",)), **environment)
        assert time.monotonic() - started < SOON_SECONDS
        return outcome.returncode, outcome.stdout.replace(f"{self.folder}/", "")

    def refused(self, dataset: str) -> str:
        """What is said about data that cannot be used, with its remedy."""
        self._write_study(dataset)
        return self.project.refused().replace(f"{self.folder}/", "")

    def plan(self, dataset: str) -> str:
        """The printed plan for data that can be used, its lines joined."""
        status, output = self.outcome(dataset, "plan")
        assert status == 0, output
        return " ".join(output.split())

    def _write_study(self, dataset: str) -> None:
        study = STUDY.format(model="base-model").replace("dataset: emoji-en", f"dataset: {dataset}")
        (self.folder / "study.yaml").write_text(study)


@pytest.fixture(scope="session")
def planning(tmp_path_factory: pytest.TempPathFactory) -> Planning:
    return Planning(new_project(tmp_path_factory.mktemp("faults") / "project"))


@pytest.fixture(scope="session")
def serve_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a serving environment with a fake server."""
    return serving_environment(tmp_path_factory.mktemp("serve"))
