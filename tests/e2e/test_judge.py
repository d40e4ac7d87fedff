"""A judge that vLLM really serves. The tiny model is random: its verdicts are nonsense and have to be missing."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from compare import compared
from prefsweep.environments import ensure, python_of
from prefsweep.failures import StageError
from prefsweep.files import read_jsonl
from prefsweep.judge_plan import Circumstances, planned_judge, served_judge
from prefsweep.models import directory_revision, load_model_spec
from prefsweep.page import render_page
from prefsweep.plan import BASE, GenerateSettings, Plan
from prefsweep.records.judge import JudgedPair, JudgeRecord
from prefsweep.results import read_study
from prefsweep.serving import Server, serving
from prefsweep.settings import JudgeConfig
from tests.e2e.trainer import write_tiny_model
from tests.example_study import Shape
from tests.faults.serving_jobs import attested_study
from tests.judge_desk import TEMPLATE, Desk, pair
from tests.real_project import ROOT

NAME = "tiny-judge"
VLLM = python_of("serve", "cpu").with_name("vllm")
SETTINGS = GenerateSettings(
    max_tokens=16, temperature=0.0, precision="float32", concurrency=[4], repeats=1, timed_tokens=2, timed_requests=1
)
PAIRS = [
    pair("one", "Water it daily. 🌿", "Water it."),
    pair("two", "Rinse the rice.", "Cook it."),
    pair("three", "x", "x"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    ensure(["train", "serve"], "cpu")
    directory = tmp_path_factory.mktemp("judge")
    write_tiny_model(directory / "model")
    log = directory / "server.log"
    with serving(
        [str(VLLM), "serve"], directory / "model", NAME, SETTINGS, device="cpu", max_length=2000, seed=0, log=log
    ) as server:
        yield server


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose runs have answered, and whose judge is a tiny random model that it serves itself."""
    ensure(["train", "serve", "workflow"], "cpu")
    directory = tmp_path_factory.mktemp("judged")
    folder = directory / "referee"
    write_tiny_model(folder)
    study = attested_study(directory, Shape(methods=("dpo", "cpo"), heldout=4, showcase=1))
    plan = Plan.read(study / "plan.json")
    described = {"path": str(folder), "model_type": "llama", "template": "chatml"}
    settings = JudgeConfig.model_validate(
        {"serve": described, "precision": "float32", "verdicts": "text", "max_tokens": 16, "retries": 1}
    )
    spec = load_model_spec(described, ROOT)
    served = served_judge(settings, spec, folder, directory_revision(folder), ROOT)
    judge = planned_judge(settings, served, Circumstances(plan.runs, None, plan.generate, "cpu"), ROOT)
    plan.model_copy(update={"judge": judge}).write(study / "plan.json")
    return study


def judge_run(study: Path, run: str) -> JudgeRecord:
    """What the real job leaves of a run, in the workflow's environment, where there is no engine."""
    command = [str(python_of("workflow", "cpu")), str(ROOT / "scripts" / "judge.py"), "--run", run]
    command += ["--plan", str(study / "plan.json"), "--opponent", Plan.read(study / "plan.json").opponent(run)]
    command += ["--data", str(study / "data"), "--template", str(TEMPLATE), "--replies", str(study.parent / ".judged")]
    command += ["--vllm", str(VLLM), "--output", str(study / "runs" / run)]
    subprocess.run(command, check=True, env=os.environ | {"OMP_NUM_THREADS": "2"})
    return JudgeRecord.read(study / "runs" / run / "judge.json")


def test_the_study_serves_its_judge_once_and_nonsense_is_missing(study: Path) -> None:
    runs = [run.id for run in Plan.read(study / "plan.json").runs if not run.id.startswith(BASE)]
    first, second = (judge_run(study, run) for run in runs)
    assert first.server is not None
    assert first.versions["vllm"].startswith("0.")
    assert (second.server, second.new_requests) == (None, 0)
    assert first.new_requests == 2 * 2 * 2 * 4, "two runs, two orders, a reminder each, four prompts"
    for run in runs:
        judged = [JudgedPair.model_validate(row) for row in read_jsonl(study / "runs" / run / "judged.jsonl")]
        assert {row.outcome for row in judged} == {"missing"}
        assert all(0 < ballot.output_tokens <= 2 * 16 for row in judged for ballot in row.ballots)
    results = read_study(study)
    page = render_page(results, compared(results))
    assert "of 4 on the test half have no verdict that could be read (100%)" in page


def test_a_schema_is_kept_to(server: Server, tmp_path: Path) -> None:
    """With room for it even a random model's reply is the object that was asked for, up to where it is cut off."""
    judged = Desk(tmp_path).judge(f"{server.url}/v1", PAIRS, server.key, model=NAME, max_tokens=200, retries=0)
    assert all(ballot.reply.lstrip().startswith("{") for row in judged for ballot in row.ballots)
    assert {row.outcome for row in judged} <= {"win", "tie", "loss", "missing"}


@pytest.mark.parametrize(
    ("key", "changed", "message"),
    [
        ("wrong", {}, "refused the key"),
        (None, {"model": "nobody"}, "refused the request: status 404"),
        (None, {"max_tokens": 32000}, "refused the request: status 400"),
    ],
)
def test_a_real_servers_refusals_are_understood(
    server: Server, tmp_path: Path, key: str | None, changed: dict[str, object], message: str
) -> None:
    with pytest.raises(StageError, match=message) as caught:
        Desk(tmp_path).judge(f"{server.url}/v1", PAIRS, key or server.key, **{"model": NAME} | changed)
    assert caught.value.failure == "config"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("GET", "/metrics"),
        ("GET", "/openapi.json"),
        ("POST", "/invocations"),
        ("POST", "/tokenize"),
    ],
)
def test_no_route_answers_without_the_key(server: Server, path: str, method: str) -> None:
    body = {"model": NAME, "prompt": "x", "max_tokens": 1} if method == "POST" else None
    assert httpx.request(method, server.url + path, json=body).status_code == 401
    assert httpx.request(method, server.url + path, json=body, headers={"Authorization": "Bearer x"}).status_code == 401
    assert httpx.request(method, server.url + path, json=body, headers=server.headers, timeout=60).status_code == 200


def test_it_listens_to_this_machine_alone_and_its_key_is_in_no_command_line_or_log(server: Server) -> None:
    started = psutil.Process(server.group)
    processes = [started, *started.children(recursive=True)]
    sockets = [socket for process in processes for socket in process.net_connections("inet")]
    listening = [socket.laddr for socket in sockets if socket.status == "LISTEN"]
    assert str(listening[0].port) in server.url
    assert {address.ip for address in listening} == {"127.0.0.1"}
    assert not [process for process in processes if server.key in " ".join(process.cmdline())]
    log = Path(server.argv[server.argv.index("serve") + 1]).with_name("server.log")
    assert "Application startup complete" in log.read_text()
    assert server.key not in log.read_text()
