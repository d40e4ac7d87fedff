"""A checkout in which studies run with the real engines, of this machine's own environments."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from prefsweep.environments import root

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class FinishedStudy:
    """The outcome of one call of Snakemake."""

    directory: Path
    command: list[str]
    environment: dict[str, str]
    output: str
    returncode: int

    @property
    def report(self) -> Path:
        return self.directory / "report"

    def run(self, method: str) -> Path:
        """The folder of a method's only run."""
        (found,) = self.directory.glob(f"runs/{method}-*/seed-*")
        return found


@dataclass(frozen=True)
class RealProject:
    """A copy of this checkout."""

    directory: Path

    @classmethod
    def copied_to(cls, directory: Path) -> "RealProject":
        for name in ("Snakefile", "rules", "scripts", "config", "data", "profiles", "envs"):
            source, target = ROOT / name, directory / name
            shutil.copytree(source, target, symlinks=True) if source.is_dir() else shutil.copy2(source, target)
        return cls(directory)

    def run(self, study: str, *arguments: str, **environment: str) -> FinishedStudy:
        """Run Snakemake on the text of a study file, which begins with its name."""
        name = study.split()[1]
        (self.directory / f"{name}.yaml").write_text(study)
        command = [sys.executable, "-m", "snakemake", *arguments, "--configfile", f"{name}.yaml", "--cores", "all"]
        settings = os.environ | {"PREFSWEEP_ENVS": str(root())} | environment
        outcome = subprocess.run(
            command,
            cwd=self.directory,
            env=settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        results = self.directory / "results" / name
        return FinishedStudy(results, command, settings, outcome.stdout, outcome.returncode)
