"""In which order a study's jobs begin."""

import re

import numpy
from safetensors.numpy import save_file

from prefsweep.plan import Plan
from tests.workflow.conftest import Project


def test_the_longest_training_begins_first_and_measuring_waits_for_no_core(project: Project) -> None:
    large_enough = {"layer.0": numpy.zeros((2048, 2048), numpy.float32)}
    save_file(large_enough, project.directory / "base-model" / "model.safetensors")
    project.edit("study.yaml", "  cpo: {}", "  cpo: {epochs: [2, 8, 4]}")
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    plan = Plan.read(project.study / "plan.json")
    begun = [plan.run(f"{point}/seed-0") for point in re.findall(r"train (\S+) seed 0", outcome.stdout)]
    seconds = [run.estimate.seconds or 0 for run in begun]
    assert len(set(seconds)) > 3
    assert seconds == sorted(seconds, reverse=True)

    stages = re.findall(r"Job \d+: (\w+)", outcome.stdout)
    last_measured = len(stages) - 1 - stages[::-1].index("measure")
    assert stages.index("score") > last_measured
    assert stages.index("drift") > last_measured
