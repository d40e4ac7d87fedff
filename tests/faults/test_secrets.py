"""O11: keys and tokens of the caller's environment are in no file, on no terminal and in no command line."""

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from tests.faults.conftest import Planning
from tests.judge_endpoint import MODEL, prefers, serving_judge
from tests.workflow.conftest import STUDY, Project, new_project

CANARY = f"canary-{secrets.token_hex(4)}"
VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "MODELSCOPE_API_TOKEN", "WANDB_API_KEY", "SWANLAB_API_KEY", "OPENAI_API_KEY",
    "VLLM_API_KEY", "JUDGE_KEY", "AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD",
)  # fmt: skip
SECRETS = {name: f"{CANARY}-{name}" for name in VARIABLES}
SEEN_EVERY_SECONDS = 0.1


@contextmanager
def watched_command_lines() -> Iterator[set[str]]:
    """Every command line that a look at all processes, many times a second, has found."""
    found: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.wait(SEEN_EVERY_SECONDS):
            for process in psutil.process_iter(["cmdline"]):
                found.add(" ".join(process.info["cmdline"] or []))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


@pytest.fixture
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return new_project(tmp_path_factory.mktemp("secrets") / "project")


def test_o11_a_study_says_no_secret(project: Project) -> None:
    """A whole one, with a judge that needs its key, a run that fails, and Snakemake as talkative as it can be."""
    with serving_judge(prefers(len), key=SECRETS["JUDGE_KEY"]) as endpoint, watched_command_lines() as command_lines:
        judge = f"{{url: '{endpoint.url}', model: {MODEL}, api_key_env: JUDGE_KEY}}"
        project.edit("study.yaml", "device: cpu", f"device: cpu\nevaluate: {{judge: {judge}}}")
        project.edit("study.yaml", "  orpo: {}\n  simpo: {}\n", "")
        project.edit("study.yaml", "  cpo: {}\n", "")
        talkative = ("--keep-going", "--printshellcmds", "--verbose", "--show-failed-logs")
        outcome = project.snakemake(*talkative, STUB_FAIL="kto", **SECRETS)
    assert len(endpoint.bodies) > 0, outcome.stdout[-3000:]
    assert (project.study / "report" / "index.html").exists()
    assert len([line for line in command_lines if str(project.directory) in line or "scripts/" in line]) > 5
    assert [line for line in command_lines if CANARY in line] == []
    assert CANARY not in outcome.stdout
    files = [path for path in project.directory.rglob("*") if path.is_file()]
    assert any(".snakemake/log" in str(path) for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("dataset: emoji-en", "dataset: {{path: '{url}/pairs.jsonl'}}"),
        ("path: base-model", "path: '{url}/model'"),
        ("device: cpu", "device: cpu\nevaluate: {{judge: {{url: '{url}/v1', model: m}}}}"),
    ],
    ids=["data set", "model", "judge"],
)
def test_o11_a_password_in_an_address_is_not_repeated(planning: Planning, old: str, new: str) -> None:
    study = STUDY.format(model="base-model")
    assert study.count(old) == 1
    address = f"https://me:{CANARY}@mirror.example"
    (planning.folder / "study.yaml").write_text(study.replace(old, new.format(url=address)))
    outcome = planning.project.snakemake("--dry-run")
    assert outcome.returncode == 2, outcome.stdout
    assert "***@mirror.example" in outcome.stdout
    assert CANARY not in outcome.stdout
