"""A study of five methods in bfloat16 on a real GPU, run once; what it cost becomes a record."""

from pathlib import Path

import pytest

from prefsweep.environments import ensure
from prefsweep.provenance import visible_accelerators
from tests.real_project import FinishedStudy, RealProject

STUDY = """\
study: gpu
model: smollm2-135m-instruct
dataset: emoji-en
device: cuda
methods:
  dpo: {learning_rate: 2.0e-4}
  orpo: {learning_rate: 5.0e-4}
  simpo: {learning_rate: 2.0e-4}
  kto: {learning_rate: 2.0e-4}
  cpo: {learning_rate: 2.0e-4}
train: {batch_size: 4, max_length: 512, precision: bfloat16, jobs_per_gpu: 1}
generate: {max_tokens: 128, concurrency: [1, 8, 32], timed_tokens: 128, timed_requests: 32}
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    gpus = len(visible_accelerators())
    for item in items:
        if here in item.path.parents:
            needed = next((mark.args[0] for mark in item.iter_markers("gpus")), 1)
            item.add_marker(pytest.mark.skipif(gpus < needed, reason=f"needs {needed} NVIDIA GPUs, {gpus} answer"))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> RealProject:
    """The model comes from its package, or from the folder that PREFSWEEP_MODELS names."""
    ensure(["train", "serve", "evaluate"], "cuda")
    return RealProject.copied_to(tmp_path_factory.mktemp("gpu"))


@pytest.fixture(scope="session")
def study(project: RealProject) -> FinishedStudy:
    return project.run(STUDY)
