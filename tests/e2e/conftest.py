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


def _first_rows(source: Path, target: Path, rows: int, *further: dict[str, object]) -> Path:
    lines = source.read_text().splitlines(keepends=True)[:rows]
    target.write_text("".join([*lines, *(json.dumps(row) + "\n" for row in further)]))
    return target


@pytest.fixture(scope="session")
def study(tmp_path_factory: pytest.TempPathFactory) -> FinishedStudy:
    """16 training pairs, 8 held-out pairs, five methods and the base, from an empty results folder."""
    scratch = tmp_path_factory.mktemp("tiny")
    ensure(["train", "serve", "evaluate"], "cpu")
    model = scratch / "model"
    make = [str(python_of("train", "cpu")), str(ROOT / "tests" / "tiny_models.py"), str(model)]
    subprocess.run(make, check=True)
    data = ROOT / "data" / "emoji-en"
    text = STUDY.format(
        model=model,
        pairs=_first_rows(data / "pairs.jsonl", scratch / "pairs.jsonl", 15, _LONG_PROMPT),
        heldout=_first_rows(data / "heldout.jsonl", scratch / "heldout.jsonl", 8),
    )
    (scratch / "study.yaml").write_text(text)
    for name in ("Snakefile", "rules", "scripts", "config", "profiles", "envs"):
        source, target = ROOT / name, scratch / name
        shutil.copytree(source, target, symlinks=True) if source.is_dir() else shutil.copy2(source, target)
    command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "all"]
    environment = os.environ | {"PREFSWEEP_ENVS": str(python_of("train", "cpu").parents[3])}
    outcome = subprocess.run(
        command,
        cwd=scratch,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return FinishedStudy(scratch / "results" / "tiny", command, environment, outcome.stdout, outcome.returncode)
