"""A study with a judge: what is asked when, what an edit asks again, and what a judge that is away costs."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pandas
import pytest

from tests.judge_endpoint import KEY, MODEL, Said, ScriptedEndpoint, prefers, serving_judge
from tests.model_fixtures import edit
from tests.tokenizer_model import write_tokenizer_model
from tests.workflow.conftest import HANGING_SECONDS, Project

REPORT = {"compare": 1, "attest": 1}
JUDGED = {"judge": 5} | REPORT
HELD_OUT = 60
"""Prompts of the study; a half has 30."""


@pytest.fixture
def endpoint() -> Iterator[ScriptedEndpoint]:
    with serving_judge(prefers(len), key=KEY) as endpoint:
        yield endpoint


def with_judge(project: Project, url: str, more: str = "") -> None:
    """Add a judge to the study, and its key to the environment."""
    judge = f"{{url: '{url}', model: {MODEL}, api_key_env: JUDGE_KEY{more}}}"
    project.edit("study.yaml", "device: cpu", f"device: cpu\nevaluate: {{judge: {judge}}}")
    project.environment["JUDGE_KEY"] = KEY


def test_a_judge_is_added_to_a_finished_study(project: Project, endpoint: ScriptedEndpoint) -> None:
    with_judge(project, endpoint.url)
    assert project.jobs() == JUDGED
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    assert 0 < len(endpoint.bodies) <= 2 * 5 * HELD_OUT
    points = pandas.read_csv(project.study / "report" / "comparison.csv")
    assert points["judge_wins"].count() == 5
    assert (points["judge_missing"].dropna() == 0).all()
    assert points["win_rate_estimate"][0] == 0.5
    assert '<section id="judge"' in (project.study / "report" / "index.html").read_text()
    assert project.jobs() == {}
    assert project.snakemake("verify").returncode == 0
    holding_the_key = subprocess.run(["grep", "-rlF", KEY, "results"], cwd=project.directory, capture_output=True)
    assert holding_the_key.stdout == b""

    asked = len(endpoint.bodies)
    project.edit("study.yaml", "api_key_env: JUDGE_KEY", "api_key_env: JUDGE_KEY, concurrency: 2, max_requests: 9999")
    assert project.jobs() == REPORT  # the plan is on the page; no verdict depends on these
    with (project.directory / "scripts/judge.py").open("a") as stream:
        stream.write("\n# edited\n")
    assert project.jobs() == JUDGED
    assert project.snakemake().returncode == 0
    assert len(endpoint.bodies) == asked, "the same questions were asked again"
    with (project.directory / "config/judges/pairwise.md").open("a") as stream:
        stream.write("\nBe brief.\n")
    assert project.jobs() == JUDGED
    project.edit("study.yaml", "device: cpu", "device: cpu\nprimary_metric: win_rate")
    assert project.snakemake().returncode == 0
    assert set(pandas.read_csv(project.study / "report" / "comparison.csv")["metric"]) == {"win_rate"}


def test_a_judge_that_is_away_costs_its_verdicts_and_nothing_else(project: Project) -> None:
    with_judge(project, "http://127.0.0.1:9/v1", ", retries: 0")
    outcome = project.snakemake("--keep-going")
    assert outcome.returncode != 0
    runs = pandas.read_csv(project.study / "report" / "runs.csv")
    assert set(runs["status"]) == {"finished"}
    points = pandas.read_csv(project.study / "report" / "comparison.csv")
    assert points["difference_to_base"].count() == 5
    assert points["judge_failures"].str.contains("network: the judge at http://127.0.0.1:9/v1 failed").sum() == 5
    assert "was not judged" in (project.study / "report" / "index.html").read_text()
    assert project.jobs() == JUDGED


def test_a_missing_key_ends_it_before_anything_starts(project: Project, endpoint: ScriptedEndpoint) -> None:
    with_judge(project, endpoint.url)
    outcome = project.snakemake(JUDGE_KEY="")
    assert outcome.returncode != 0
    assert "nothing was started" in outcome.stdout
    assert "JUDGE_KEY, which is not set" in outcome.stdout
    assert endpoint.bodies == []
    planned = project.snakemake("plan", JUDGE_KEY="")  # asks nobody
    assert f"judge {MODEL} at {endpoint.url}: up to 600 requests" in planned.stdout


def test_a_job_that_was_killed_asks_for_the_rest_only(project: Project) -> None:
    """SIGKILL while replies are on their way."""
    halfway, release = threading.Event(), threading.Event()

    def slow(question: str, before: int) -> Said:
        if before == 20:
            halfway.set()
        if before >= 20:
            release.wait(HANGING_SECONDS)
        return prefers(len)(question, before)

    with serving_judge(slow) as endpoint:
        with_judge(project, endpoint.url, ", concurrency: 1")
        assert project.snakemake("--until", "prepare").returncode == 0  # writes the plan
        run = next(path for path in (project.study / "runs").glob("dpo-*/seed-0"))
        base = next(path for path in (project.study / "runs").glob("base-*/seed-0"))
        command = [
            *(sys.executable, "scripts/judge.py", "--plan", "results/tiny/plan.json", "--data", "results/tiny/data"),
            *("--run", f"{run.parent.name}/seed-0", "--opponent", f"{base.parent.name}/seed-0"),
            *("--template", "config/judges/pairwise.md", "--replies", "results/.judged", "--output", str(run)),
            *("--vllm", "none"),
        ]
        environment = os.environ | project.environment | {"PYTHONPATH": "scripts"}
        process = subprocess.Popen(command, cwd=project.directory, env=environment)
        assert halfway.wait(HANGING_SECONDS)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert not (run / "judged.jsonl").exists()
        release.set()
        subprocess.run(command, cwd=project.directory, env=environment, check=True, timeout=HANGING_SECONDS)
        repeated = len(endpoint.questions) - len(set(endpoint.questions))
    assert repeated == 1, "only the one that was on its way"
    assert json.loads((run / "judge.json").read_text())["new_requests"] == len(set(endpoint.questions)) - 20


def test_methods_meet_each_other_where_the_study_asks(project: Project, endpoint: ScriptedEndpoint) -> None:
    with_judge(project, endpoint.url)
    assert project.snakemake().returncode == 0
    asked = len(endpoint.bodies)
    assert pandas.read_csv(project.study / "report" / "rivals.csv").empty

    project.edit("study.yaml", "JUDGE_KEY", "JUDGE_KEY, rivals: recommended, max_requests: 1")
    assert "(240 of them between methods)" in project.snakemake("plan").stdout
    assert project.jobs() == {"judge_rivals": 1} | REPORT
    assert project.snakemake().returncode != 0
    assert len(endpoint.bodies) == asked
    page = (project.study / "report" / "index.html").read_text()
    assert "The methods were not judged against each other" in page
    assert pandas.read_csv(project.study / "report" / "comparison.csv")["judge_wins"].count() == 5

    project.edit("study.yaml", ", max_requests: 1", "")
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    assert asked < len(endpoint.bodies) <= asked + 2 * 4 * HELD_OUT // 2
    met = pandas.read_csv(project.study / "report" / "rivals.csv")
    assert (len(met), set(met["method"]), met["win_rate"].count()) == (4, {met["method"][0]}, 4)
    assert "Method against method" in (project.study / "report" / "index.html").read_text()
    assert project.jobs() == {}
    assert project.snakemake("verify").returncode == 0

    asked = len(endpoint.bodies)
    project.edit("study.yaml", "rivals: recommended", "rivals: all")
    assert project.jobs() == {"judge_rivals": 1} | REPORT
    assert project.snakemake().returncode == 0
    assert asked < len(endpoint.bodies) <= asked + 2 * 6 * HELD_OUT // 2
    assert len(endpoint.bodies) == len(set(endpoint.questions)), "nothing is asked twice"
    project.edit("study.yaml", "rivals: all", "rivals: none")
    assert project.jobs() == REPORT


def test_a_judge_that_the_study_serves_is_started_once_for_all_runs(project: Project) -> None:
    write_tokenizer_model(project.directory / "referee")
    judge = "{serve: {path: referee, model_type: llama, template: chatml}, rivals: recommended}"
    project.edit("study.yaml", "device: cpu", f"device: cpu\nevaluate: {{judge: {judge}}}")
    judged = {"judge": 5, "judge_rivals": 1} | REPORT
    assert project.jobs() == judged
    outcome = project.snakemake()
    assert outcome.returncode == 0, outcome.stdout
    assert len(list(project.study.glob("runs/*/*/logs/judge-server.log"))) == 1
    assert (project.study / "rivals" / "logs" / "judge-server.log").exists()
    points = pandas.read_csv(project.study / "report" / "comparison.csv")
    assert points["judge_wins"].count() == 5
    assert "served by the study in bfloat16" in (project.study / "report" / "index.html").read_text()
    assert project.jobs() == {}
    assert project.snakemake("verify").returncode == 0

    (project.directory / "referee").rename(project.directory / "moved")
    project.edit("study.yaml", "path: referee", "path: moved")
    assert project.jobs() == REPORT, "the plan is on the page; no verdict depends on where the model is"
    edit(project.directory / "moved" / "config.json", hidden_size=64)
    assert project.jobs() == judged
    (project.directory / "moved" / "model.safetensors").unlink()
    refused = project.snakemake()
    assert refused.returncode != 0
    assert "nothing was started" in refused.stdout
    assert "has neither model.safetensors nor" in refused.stdout
