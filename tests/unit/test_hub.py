"""Both hubs' real clients, against a local server that speaks their protocols."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from prefsweep.data_files import local_files
from prefsweep.dataset import load_dataset_spec
from prefsweep.failures import StageError
from prefsweep.hub import fetch_dataset_files, fetch_model_files
from prefsweep.models import Hub, HubSource
from tests.hub_server import REVISION, HubServer, serving_hub
from tests.model_fixtures import write_model

HUBS: tuple[Hub, ...] = ("huggingface", "modelscope")
TAKEN = [
    "chat_template.jinja",
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
]


@pytest.fixture(params=HUBS)
def source(request: pytest.FixtureRequest) -> HubSource:
    return HubSource(hub=request.param, id="owner/tiny", revision=REVISION)


@pytest.fixture
def repositories(tmp_path: Path) -> Path:
    """A model with everything a hub may hold beside it, and a dataset."""
    root = tmp_path / "hub"
    model = write_model(root / "owner" / "tiny")
    for name in ("pytorch_model.bin", "modeling_tiny.py", "onnx/config.json", "README.md"):
        (model / name).parent.mkdir(exist_ok=True)
        (model / name).write_text("not wanted")
    data = root / "owner" / "pairs"
    (data / "data").mkdir(parents=True)
    (data / "data" / "train-0.jsonl").write_text('{"row": 0}\n')
    (data / "data" / "train-1.jsonl").write_text('{"row": 1}\n')
    (data / "data" / "test-0.jsonl").write_text('{"row": 2}\n')
    return root


@pytest.fixture(autouse=True)
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache, token or offline switch of whoever runs the tests; retries do not wait."""
    from huggingface_hub import constants
    from huggingface_hub.utils import _http
    from modelscope_hub import _legacy_api

    for name in ("HF_TOKEN", "HF_HUB_OFFLINE", "MODELSCOPE_API_TOKEN", "MODELSCOPE_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache" / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache" / "ms"))
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(_http, "time", SimpleNamespace(sleep=lambda seconds: None))
    monkeypatch.setattr(_legacy_api, "REPO_TREE_PAGE_MAX_ATTEMPTS", 1)
    _point_at("http://127.0.0.1:9", monkeypatch)


def _point_at(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("MODELSCOPE_ENDPOINT", url)


@pytest.fixture
def server(repositories: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    with serving_hub(repositories) as hub:
        _point_at(hub.url, monkeypatch)
        yield hub


def _names(directory: Path) -> list[str]:
    return sorted(path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file())


def test_a_model_arrives_without_pickles_code_and_subfolders(
    server: HubServer, source: HubSource, repositories: Path, tmp_path: Path
) -> None:
    fetch_model_files(source, tmp_path / "model")
    assert _names(tmp_path / "model") == TAKEN
    for name in TAKEN:
        assert (tmp_path / "model" / name).read_bytes() == (repositories / source.id / name).read_bytes()
    assert not any(unwanted in path for path in server.requests for unwanted in (".bin", ".py", "onnx"))


def test_a_wrong_revision_and_a_wrong_id_are_the_models_fault(
    server: HubServer, source: HubSource, tmp_path: Path
) -> None:
    for wrong in ({"revision": REVISION[::-1]}, {"id": "owner/absent"}):
        with pytest.raises(StageError) as caught:
            fetch_model_files(source.model_copy(update=wrong), tmp_path / "model")
        assert caught.value.failure == "model"
        assert source.hub in str(caught.value)
        assert next(iter(wrong.values())) in str(caught.value)
    assert not (tmp_path / "model").exists()


def test_a_hub_that_is_down_is_named_with_what_is_missing(
    source: HubSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _point_at("http://me:password@127.0.0.1:9", monkeypatch)
    with pytest.raises(StageError) as caught:
        fetch_model_files(source, tmp_path / "model")
    assert caught.value.failure == "network"
    assert f"http://***@127.0.0.1:9 did not deliver the model {source}, and it is not cached" in str(caught.value)
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("hub", HUBS)
def test_a_hub_writes_nothing_outside_its_cache(
    hub: Hub, server: HubServer, repositories: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A listing may name any path."""
    row = repositories / "owner" / "pairs" / "data" / "train-0.jsonl"
    names = ["data/sound.jsonl", *(f"{'../' * depth}canary.jsonl" for depth in range(1, 8)), "x/../../../canary.jsonl"]
    names.append(str(tmp_path / "canary.jsonl"))
    monkeypatch.setattr("tests.hub_server._files", lambda repository: [(name, row) for name in names])
    monkeypatch.setattr("tests.hub_server._file", lambda repository, name: row)
    fetch_dataset_files(hub, "owner/pairs", REVISION, ["*.jsonl"], tmp_path / "data")
    assert _names(tmp_path / "data") == ["data/sound.jsonl"]
    assert list(tmp_path.rglob("*canary*")) == []


def test_what_is_cached_works_offline(
    repositories: Path, source: HubSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_hub(repositories) as hub:
        _point_at(hub.url, monkeypatch)
        fetch_model_files(source, tmp_path / "online")
    fetch_model_files(source, tmp_path / "offline")
    assert _names(tmp_path / "offline") == TAKEN


def test_an_interrupted_download_does_not_pass_for_a_cached_one(
    repositories: Path, source: HubSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving_hub(repositories) as hub:
        _point_at(hub.url, monkeypatch)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr("tests.hub_server._Handler._send", _without_weights)
            with pytest.raises(StageError, match="did not deliver"):
                fetch_model_files(source, tmp_path / "broken")
    with pytest.raises(StageError, match="did not deliver"):
        fetch_model_files(source, tmp_path / "offline")


def _without_weights(handler, status, content, headers=None):  # type: ignore[no-untyped-def]
    failing = "model.safetensors" in handler.path
    handler.send_response(403 if failing else status)
    for name, value in (headers or {}).items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(0 if failing else len(content)))
    handler.end_headers()
    if handler.command == "GET" and not failing:
        handler.wfile.write(content)


@pytest.mark.parametrize("hub", HUBS)
def test_a_datasets_chosen_files_are_published(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    target = tmp_path / "data"
    files = fetch_dataset_files(hub, "owner/pairs", REVISION, ["data/train-*.jsonl"], target)
    assert files == [target / "data" / "train-0.jsonl", target / "data" / "train-1.jsonl"]
    assert [path.read_text() for path in files] == ['{"row": 0}\n', '{"row": 1}\n']


@pytest.mark.parametrize("hub", HUBS)
def test_a_split_is_fetched_by_the_names_of_its_files(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    spec = load_dataset_spec(
        {"hub": hub, "id": "owner/pairs", "revision": REVISION, "split": "test"}, tmp_path, tmp_path
    )
    files = local_files(spec, tmp_path / "downloads").training
    assert [path.name for path in files] == ["test-0.jsonl"]
    assert not any("train-0" in path for path in server.requests if "resolve" in path or "repo?" in path)


@pytest.mark.parametrize("hub", HUBS)
def test_a_dataset_that_lacks_the_wanted_file_is_the_datas_fault(server: HubServer, hub: Hub, tmp_path: Path) -> None:
    for id, revision in (
        ("owner/pairs", REVISION),
        ("owner/pairs", REVISION[::-1]),
        ("owner/none", REVISION),
    ):
        with pytest.raises(StageError) as caught:
            fetch_dataset_files(hub, id, revision, ["validation.csv"], tmp_path / "data")
        assert caught.value.failure == "data"
    assert not (tmp_path / "data").exists()
