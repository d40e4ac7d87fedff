"""A checkout on the machine that submits: studies are run with docs/cluster.md's command, nothing added."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pandas

from tests.slurm.cluster import Cluster
from tests.workflow.conftest import Project

PROFILE = "profiles/slurm/config.yaml"
COMMAND = [sys.executable, "-m", "snakemake", "--profile", "profiles/slurm", "--configfile", "study.yaml"]


@dataclass(frozen=True)
class Site:
    """A project and the cluster it submits to."""

    project: Project
    cluster: Cluster

    def prepare(self) -> None:
        """What a site edits in the profile, the partition, and how often a test looks; a study of two methods."""
        self.project.edit(PROFILE, "# slurm_partition: gpu # unset", "slurm_partition: accelerated # unset")
        self.project.edit(PROFILE, "status-checks: 20", "status-checks: 8")
        self.project.edit(PROFILE, "slurm-logdir:", "slurm-keep-successful-logs: true\nslurm-logdir:")
        self.project.edit("study.yaml", "  orpo: {}\n  simpo: {}\n  kto: {}\n  cpo: {}\n", "  kto: {}\n")
        # A login node often has the driver's tools and no driver.
        self._tools.mkdir()
        (self._tools / "nvidia-smi").write_text("#!/bin/sh\nexit 9\n")
        (self._tools / "nvidia-smi").chmod(0o755)

    @contextmanager
    def started(self, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Start the study; stdout and stderr together. It does not outlive the block."""
        search = {"PATH": f"{self._tools}:{os.environ['PATH']}"}
        process = subprocess.Popen(
            COMMAND,
            cwd=self.project.directory,
            env=os.environ | self.project.environment | search | self.cluster.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def run(self, **environment: str) -> tuple[int, str]:
        """Run the study to its end; exit status and output."""
        with self.started(**environment) as process:
            output, _ = process.communicate()
        return process.returncode, output

    def jobs(self) -> list[dict[str, str]]:
        """What this project submitted, as Slurm describes it."""
        return self.cluster.jobs(self.project.directory)

    def statuses(self) -> dict[str, str]:
        """Method → status in the report."""
        runs = self._runs()
        return dict(zip(runs["method"], runs["status"], strict=True))

    def failures(self) -> dict[str, tuple[str, str, str]]:
        """Method → stage, class and message of its failure in the report."""
        runs = self._runs()
        return {
            method: tuple(row)
            for method, *row in runs[["method", "failure_stage", "failure_class", "failure_message"]].to_numpy()
        }

    def page(self) -> str:
        """The report's page."""
        return (self.project.study / "report" / "index.html").read_text()

    def logs(self, rule: str) -> list[Path]:
        """The logs of a rule's Slurm jobs."""
        return sorted((self.project.directory / "results" / "slurm-logs").glob(f"rule_{rule}/*/*.log"))

    def _runs(self) -> pandas.DataFrame:
        return pandas.read_csv(self.project.study / "report" / "runs.csv")

    @property
    def _tools(self) -> Path:
        return self.project.directory / "tools"
