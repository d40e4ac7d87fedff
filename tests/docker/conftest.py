"""One CPU image, built by the Dockerfile, and one study that is stopped in the middle and continued in it."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefsweep.environments import pip_command
from prefsweep.files import sha256_of
from prefsweep.package_sources import pip_settings
from tests.debian import NotInstallable
from tests.docker.engine import Engine, EngineMissing, base_image, engine

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "prefsweep-test:cpu"
USER = "4321:8765"
"""Nobody the image knows."""
STUDY = """\
study: tiny
model: {path: model, model_type: llama, template: chatml}
dataset: {path: pairs.jsonl, heldout: heldout.jsonl}
methods: {dpo: , orpo: , simpo: , kto: , cpo: }
train: {learning_rate: 1.0e-2, batch_size: 8, max_length: 512, precision: float32}
generate: {max_tokens: 8, concurrency: [4], repeats: 1, timed_tokens: 4, timed_requests: 4, precision: float32}
"""
SHARED_MEMORY = ("--shm-size", "1g")
PLAIN = (
    *(*SHARED_MEMORY, "--read-only", "--network", "none", "--user", USER, "--env", "HOME=/nonexistent"),
    *("--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
)
"""No root file system to write to, no network, no home, no way to more rights: what a careful host allows."""


@dataclass(frozen=True)
class Built:
    """The image and the folder mounted into its containers."""

    docker: Engine
    work: Path

    def run(self, *arguments: str, options: tuple[str, ...] = PLAIN, check: bool = True) -> str:
        """`docker run` with the work folder and the cache volume mounted; stdout and stderr together."""
        mounts = ("--volume", f"{self.work}:/work", "--volume", "prefsweep-test-cache:/cache")
        done = self.docker("run", "--rm", *mounts, *options, IMAGE, *arguments, check=False)
        assert done.returncode == 0 or not check, done.stdout
        return done.stdout


@pytest.fixture(scope="session")
def docker() -> Iterator[Engine]:
    try:
        with engine() as started:
            yield started
    except (EngineMissing, NotInstallable) as reason:
        pytest.skip(f"no Docker here: {reason}")


@pytest.fixture(scope="session")
def image(docker: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The CPU image, built from the checkout; a tiny model and data in a folder that belongs to USER."""
    options = pip_settings(pip_command())
    kept = [(name, options[name]) for name in ("index-url", "cert", "find-links") if name in options]
    try:
        base = base_image(docker, tmp_path_factory.mktemp("base"), kept)
    except (EngineMissing, NotInstallable) as reason:
        pytest.skip(f"no image can be built here: {reason}")
    arguments = ["--build-arg", "DEVICE=cpu", "--build-arg", "REVISION=0123abc", "--tag", IMAGE]
    docker("build", *arguments, *(["--build-arg", f"BASE_IMAGE={base}"] if base else []), str(ROOT))
    work = tmp_path_factory.mktemp("work")
    for name, rows in (("pairs", 16), ("heldout", 8)):
        lines = (ROOT / "data" / "emoji-en" / f"{name}.jsonl").read_text().splitlines(keepends=True)
        (work / f"{name}.jsonl").write_text("".join(lines[:rows]))
    (work / "study.yaml").write_text(STUDY)
    built = Built(docker, work)
    make_model = ("--entrypoint", "/opt/prefsweep/cpu/train/bin/python", "--volume", f"{ROOT}/tests:/tests:ro")
    work.chmod(0o777)  # for the model, which USER writes
    built.run("/tests/tiny_models.py", "/work/model", options=(*PLAIN, *make_model))
    subprocess.run(["chown", "-R", USER, str(work)], check=True)
    work.chmod(0o755)
    yield built
    docker("volume", "rm", "--force", "prefsweep-test-cache", check=False)


@dataclass(frozen=True)
class StoppedStudy:
    """A study that `docker stop` ended in the middle, and that the same command then finished."""

    directory: Path
    stop_seconds: float
    before: dict[str, str]
    """SHA-256 of every finished run's training record and weights at the stop."""
    output: str
    """What the second call printed."""


def trained(directory: Path) -> dict[str, str]:
    """SHA-256 of the training records and adapters that are there."""
    records = sorted(directory.glob("runs/*/seed-*/train.json"))
    files = [*records, *(record.parent / "adapter" / "adapter_model.safetensors" for record in records)]
    return {str(file.relative_to(directory)): sha256_of(file) for file in files}


@pytest.fixture(scope="session")
def study(image: Built) -> StoppedStudy:
    directory = image.work / "results" / "tiny"
    mounts = ("--volume", f"{image.work}:/work", "--volume", "prefsweep-test-cache:/cache")
    arguments = ("--cores", "all", "--configfile", "study.yaml")
    container = image.docker("run", "--detach", *mounts, *PLAIN, IMAGE, *arguments).stdout.strip()
    deadline = time.monotonic() + 300
    while len(list(directory.glob("runs/*/seed-*/train.json"))) < 2:
        running = image.docker("inspect", "--format", "{{.State.Running}}", container).stdout.strip()
        assert running == "true", image.docker("logs", container).stdout
        assert time.monotonic() < deadline, image.docker("logs", container).stdout
        time.sleep(0.2)
    time.sleep(3)  # into the next training
    started = time.monotonic()
    image.docker("stop", "--time", "60", container)
    seconds = time.monotonic() - started
    before = trained(directory)
    image.docker("rm", container)
    return StoppedStudy(directory, seconds, before, image.run(*arguments))


def owner(path: Path) -> str:
    """uid:gid of a file."""
    status = path.stat()
    return f"{status.st_uid}:{status.st_gid}"
