"""One study of five methods on a tiny random model, run once to its end with the real engines."""

import json
from pathlib import Path

import pytest

from prefsweep.environments import ensure
from tests.e2e.trainer import write_tiny_model
from tests.real_project import ROOT, FinishedStudy, RealProject

STUDY = """\
study: tiny
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl, showcase: ["How are you today?"]}
device: cpu
seeds: [3]
methods: {dpo: , orpo: , simpo: , kto: , cpo: }
train: {learning_rate: 1.0e-2, batch_size: 8, max_length: 200, precision: float32}
generate: {max_tokens: 12, concurrency: [1, 4], repeats: 2, timed_tokens: 8, timed_requests: 4, precision: float32}
"""


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


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> RealProject:
    """A tiny random model, 16 training pairs and 8 held-out pairs."""
    ensure(["train", "serve", "evaluate"], "cpu")
    project = RealProject.copied_to(tmp_path_factory.mktemp("tiny"))
    write_tiny_model(project.directory / "model")
    data = ROOT / "data" / "emoji-en"
    _first_rows(data / "pairs.jsonl", project.directory / "pairs.jsonl", 15, _LONG_PROMPT)
    _first_rows(data / "heldout.jsonl", project.directory / "heldout.jsonl", 8)
    return project


@pytest.fixture(scope="session")
def study(tiny: RealProject) -> FinishedStudy:
    """Five methods and the base, from an empty results folder."""
    return tiny.run(STUDY)
