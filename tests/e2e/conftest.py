"""One study of five methods on a tiny random model, run once to its end with the real engines."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefsweep.environments import ensure, python_of

ROOT = Path(__file__).resolve().parents[2]
STUDY = """\
study: tiny
model: {{path: {model}, model_type: llama, template: chatml}}
dataset: {{path: {pairs}, heldout: {heldout}, showcase: ["How are you today?"]}}
device: cpu
seeds: [3]
methods: {{dpo: , orpo: , simpo: , kto: , cpo: }}
train: {{learning_rate: 1.0e-2, batch_size: 8, max_length: 200, precision: float32}}
generate: {{max_tokens: 12, concurrency: [1, 4], repeats: 2, timed_tokens: 8, timed_requests: 4, precision: float32}}
"""


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
        (found,) = self.directory.glob(f"runs/{method}-*/seed-3")
        return found


_LONG_PROMPT = {
    "messages": [
        {"role": "user", "content": "How are you today? " * 20},
        {"role": "assistant", "content": "Great! 😊"},
    ],
    "rejected_response": "I am well.",
}
"""Fits `max_length` with its own answers, but not with another row's, which KTO's KL estimate gives it."""


def _first_rows(source: Path, target: Path, rows: int, *further: dict[str, object]) -> None:
    lines = source.read_text().splitlines(keepends=True)[:rows]
    target.write_text("".join([*lines, *(json.dumps(row) + "\n" for row in further)]))


@dataclass(frozen=True)
class Tiny:
    """A checkout beside a tiny random model, 16 training pairs and 8 held-out pairs."""

    directory: Path

    def run(self, study: str, *targets: str) -> FinishedStudy:
        """Run Snakemake on a study file, whose `{model}`, `{pairs}` and `{heldout}` are filled in."""
        places = {name: self.directory / name for name in ("model", "pairs.jsonl", "heldout.jsonl")}
        text = study.format(**{name.removesuffix(".jsonl"): place for name, place in places.items()})
        name = text.split()[1]
        (self.directory / f"{name}.yaml").write_text(text)
        command = [sys.executable, "-m", "snakemake", *targets, "--configfile", f"{name}.yaml", "--cores", "all"]
        environment = os.environ | {"PREFSWEEP_ENVS": str(python_of("train", "cpu").parents[3])}
        outcome = subprocess.run(
            command,
            cwd=self.directory,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        results = self.directory / "results" / name
        return FinishedStudy(results, command, environment, outcome.stdout, outcome.returncode)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    directory = tmp_path_factory.mktemp("tiny")
    ensure(["train", "serve", "evaluate"], "cpu")
    make = [str(python_of("train", "cpu")), str(ROOT / "tests" / "tiny_models.py"), str(directory / "model")]
    subprocess.run(make, check=True)
    data = ROOT / "data" / "emoji-en"
    _first_rows(data / "pairs.jsonl", directory / "pairs.jsonl", 15, _LONG_PROMPT)
    _first_rows(data / "heldout.jsonl", directory / "heldout.jsonl", 8)
    for name in ("Snakefile", "rules", "scripts", "config", "profiles", "envs"):
        source, target = ROOT / name, directory / name
        shutil.copytree(source, target, symlinks=True) if source.is_dir() else shutil.copy2(source, target)
    return Tiny(directory)


@pytest.fixture(scope="session")
def study(tiny: Tiny) -> FinishedStudy:
    """Five methods and the base, from an empty results folder."""
    return tiny.run(STUDY)
