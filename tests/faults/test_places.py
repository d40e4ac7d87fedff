"""Where a study runs: in a folder with any name (C10), on results that are not ours (O6), without a network (O10)."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.faults.conftest import Planning
from tests.hub_server import REVISION
from tests.tokenizer_model import write_tokenizer_model
from tests.workflow.conftest import HANGING_SECONDS, ROOT, STUDY, new_project

HOSTILE = "a project ;touch canary $(touch canary) 'ü🎉"
NOBODY = 65534


def test_c10_the_project_may_be_anywhere(tmp_path: Path) -> None:
    """It is called from the user's folder; the report of what exists is made, as after any failure."""
    project, work = new_project(tmp_path / HOSTILE), tmp_path / "work"
    write_tokenizer_model(work / "base-model")
    (work / "study.yaml").write_text(STUDY.format(model="base-model"))

    def called(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(project.directory / "Snakefile")]
        return subprocess.run(
            [*command, *arguments, "--cores", "2", "--configfile", "study.yaml"],
            cwd=work,
            env=os.environ | project.environment | {"STUB_FAIL": "dpo"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=HANGING_SECONDS,
        )

    planned = called("plan")
    assert planned.returncode == 0, planned.stdout
    runs = json.loads((work / "results" / "tiny" / "plan.json").read_text())["runs"]
    (dpo,) = (run["id"] for run in runs if run["id"].startswith("dpo-"))
    outcome = called(f"results/tiny/runs/{dpo}/train.json")
    assert outcome.returncode == 1, outcome.stdout
    assert "step 7: the loss is nan" in (work / "results" / "tiny" / "report" / "index.html").read_text()
    assert not list(tmp_path.rglob("canary"))


def in_namespace(*flags: str) -> list[str]:
    """The command that starts another in namespaces of its own; skips where the kernel grants none."""
    command = ["unshare", "--map-root-user", *flags]
    try:
        granted = subprocess.run([*command, "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        granted = False
    if not granted:
        pytest.skip(f"{' '.join(command)} is not granted here")
    return command


def call(planning: Planning, prefix: list[str], *arguments: str) -> tuple[int, str]:
    """Exit status and output of a study of the project."""
    done = subprocess.run(
        [*prefix, sys.executable, "-m", "snakemake", *arguments, "--cores", "2", "--configfile", "study.yaml"],
        cwd=planning.folder,
        env=os.environ | planning.project.environment | {"HF_HOME": str(planning.folder / "no-cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=HANGING_SECONDS,
    )
    return done.returncode, " ".join(done.stdout.split())


PAIRS = "results/tiny/data/pairs.jsonl"
READ_ONLY = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'


@pytest.mark.parametrize(
    ("protected", "arguments", "expected", "words"),
    [
        ("results", [], 2, ["results/tiny cannot be written by user 0", "Give the folder to this user"]),
        (PAIRS, [], 2, ["pairs.jsonl would be made again, and is write-protected", "or keep it"]),
        (PAIRS, ["--dry-run"], 0, ["prepare the data", "This was a dry-run"]),
    ],
)
def test_o6_results_that_are_read_only(
    planning: Planning, protected: str, arguments: list[str], expected: int, words: list[str]
) -> None:
    """Some of them are there and would have to be made again, as after a change of the study."""
    finished = planning.folder / PAIRS
    shutil.rmtree(planning.folder / "results", ignore_errors=True)  # what another test has left
    finished.parent.mkdir(parents=True)
    finished.write_text("finished")
    (planning.folder / "study.yaml").write_text(STUDY.format(model="base-model"))
    prefix = [*in_namespace("--mount"), "sh", "-c", READ_ONLY, protected]
    status, output = call(planning, prefix, *arguments)
    assert status == expected, output
    assert ("nothing was started." in output) == bool(expected)
    assert all(word in output for word in words), output
    assert "Traceback" not in output
    assert finished.read_text() == "finished"


AS_NOBODY = """
import os, sys
from pathlib import Path
from prefsweep.host import check_writable
os.setgroups([])
os.setgid(int(sys.argv[2]))
os.setuid(int(sys.argv[2]))
check_writable(Path(sys.argv[1]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can leave something that another user cannot write")
@pytest.mark.parametrize("place", [None, "", "runs", "runs/dpo-00000000/seed-0"])
def test_o6_results_of_roots(place: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own are closed to others
        Path(folder).chmod(0o755)
        study = Path(folder) / "results" / "tiny"
        (study / "runs" / "dpo-00000000" / "seed-0").mkdir(parents=True)
        for path in (study, *study.rglob("*")):
            os.chown(path, NOBODY, NOBODY)
        if place is not None:
            os.chown(study / place, 0, 0)
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, str(study), str(NOBODY)],
            env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
            capture_output=True,
            text=True,
        )
        if place is None:
            assert done.returncode == 0, done.stderr
        else:
            assert f"{study / place} cannot be written by user {NOBODY}" in done.stderr


def test_o10_what_is_here_needs_no_network(planning: Planning) -> None:
    (planning.folder / "study.yaml").write_text(STUDY.format(model="base-model"))
    status, output = call(planning, in_namespace("--net"), "results/tiny/data/data.json", "--forceall")
    assert status == 0, output


@pytest.mark.parametrize("missing", ["model", "dataset"])
def test_o10_what_is_missing_is_named_before_anything_runs(planning: Planning, missing: str) -> None:
    study = STUDY.format(model="base-model")
    source = f"hub: huggingface, id: somebody/something, revision: '{REVISION}'"
    old, new = {
        "model": ("path: base-model", source),
        "dataset": ("dataset: emoji-en", f"dataset: {{{source}}}"),
    }[missing]
    (planning.folder / "study.yaml").write_text(study.replace(old, new))
    status, output = call(planning, in_namespace("--net"), "results/tiny/data/data.json", "--force")
    assert status != 0, output
    asked = f"https://huggingface.co did not deliver the {missing} huggingface: somebody/something@{REVISION}"
    assert f"{asked}, and it is not cached" in output
    assert "rule prepare" not in output
