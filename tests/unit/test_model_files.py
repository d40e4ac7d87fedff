"""Faults of model directories (M1–M5) are named early, and without running the model's code."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prefsweep.failures import StageError
from prefsweep.model_files import validate_model_directory
from tests.model_fixtures import CHATML, edit, write_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write_model(tmp_path / "model")


def test_a_complete_model_passes_and_says_how_it_ends_a_turn(model: Path) -> None:
    facts = validate_model_directory(model)
    assert (facts.eos_token, facts.eos_token_ids) == ("<|im_end|>", [2, 0])
    assert (facts.pad_token, facts.pad_token_id) == ("<|endoftext|>", 0)


def test_shards_pass_when_all_are_there(tmp_path: Path) -> None:
    validate_model_directory(write_model(tmp_path / "model", shards=3))


def test_the_template_may_live_in_the_tokenizer_configuration(model: Path) -> None:
    before = validate_model_directory(model)
    (model / "chat_template.jinja").unlink()
    edit(model / "tokenizer_config.json", chat_template=[{"name": "default", "template": CHATML}])
    assert validate_model_directory(model) == before


def _truncate(path: Path, size: int) -> None:
    os.truncate(path, path.stat().st_size + size if size < 0 else size)


def _as_pickle(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "M1 no config": (lambda m: (m / "config.json").unlink(), "config.json: no such file"),
    "M1 bad config": (lambda m: (m / "config.json").write_text("{"), "config.json: not valid JSON"),
    "M1 list config": (lambda m: (m / "config.json").write_text("[]"), "config.json: not a JSON object"),
    "M1 architecture": (
        lambda m: edit(m / "config.json", architectures=["BertForMaskedLM"]),
        "not a causal language model (architectures: BertForMaskedLM)",
    ),
    "M1 quantised": (lambda m: edit(m / "config.json", quantization_config={}), "the weights are quantised"),
    "M2 one byte short": (lambda m: _truncate(m / "model.safetensors", -1), "model.safetensors: truncated"),
    "M2 header only": (lambda m: _truncate(m / "model.safetensors", 20), "model.safetensors: truncated"),
    "M2 empty": (lambda m: _truncate(m / "model.safetensors", 0), "model.safetensors: truncated"),
    "M4 pickle": (_as_pickle, "pytorch_model.bin: pickled weights can execute code"),
    "M4 no weights": (lambda m: (m / "model.safetensors").unlink(), "has neither model.safetensors nor"),
    "M4 auto_map": (lambda m: edit(m / "config.json", auto_map={"AutoModel": "x.Y"}), "auto_map makes"),
    "M4 tokenizer auto_map": (lambda m: edit(m / "tokenizer_config.json", auto_map={}), "auto_map makes"),
    "M4 auto_map of a part": (
        lambda m: edit(m / "config.json", text_config={"auto_map": {"AutoConfig": "somebody/else--x.Y"}}),
        "config.json: auto_map makes",
    ),
    "M4 auto_map of a processor": (
        lambda m: (m / "processor_config.json").write_text('{"auto_map": {"AutoProcessor": "x.Y"}}'),
        "processor_config.json: auto_map makes",
    ),
    "M4 adapter": (
        lambda m: (m / "adapter_config.json").write_text('{"base_model_name_or_path": "somebody/else"}'),
        "adapter_config.json: an adapter lies in the model's folder",
    ),
    "M4 template that reaches for Python": (
        lambda m: (m / "chat_template.jinja").write_text("{{ cycler.__init__.__globals__.os.system('touch canary') }}"),
        "the chat template fails on a plain conversation (SecurityError",
    ),
    "M4 code": (
        lambda m: (m / "modeling_x.py").write_text("open('canary', 'w')"),
        "modeling_x.py: a model must",
    ),
    "M4 plugin": (
        lambda m: (m / "args.json").write_text('{"external_plugins": ["plugin.py"]}'),
        "args.json: external_plugins makes ms-swift execute code",
    ),
    "M5 no template": (lambda m: (m / "chat_template.jinja").unlink(), "has no chat template"),
    "M5 broken template": (
        lambda m: (m / "chat_template.jinja").write_text("{{ messages.nope.nope }}"),
        "the chat template fails on a plain conversation",
    ),
    "M5 no answer": (
        lambda m: (m / "chat_template.jinja").write_text("hello"),
        "drops the assistant's answer",
    ),
    "M5 eos": (
        lambda m: edit(m / "tokenizer_config.json", eos_token="<|endoftext|>"),
        "the eos_token is <|endoftext|>, but the chat template ends a turn with '<|im_end|>'",
    ),
    "M5 no eos": (lambda m: edit(m / "tokenizer_config.json", eos_token=None), "has no eos_token"),
    "M5 generation eos": (
        lambda m: edit(m / "generation_config.json", eos_token_id=0),
        "generation stops at token ids [0], not at <|im_end|> (2)",
    ),
    "M5 unknown pad": (lambda m: edit(m / "tokenizer_config.json", pad_token="<pad>"), "has no token <pad>"),
    "M5 no tokenizer": (lambda m: (m / "tokenizer.json").unlink(), "tokenizer.json: no such file"),
    "M5 no tokenizer configuration": (
        lambda m: (m / "tokenizer_config.json").unlink(),
        "tokenizer_config.json: no such file",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_with_its_file_and_a_remedy(model: Path, fault: str) -> None:
    spoil, expected = FAULTS[fault]
    spoil(model)
    with pytest.raises(StageError) as caught:
        validate_model_directory(model)
    assert caught.value.failure == "model"
    assert expected in str(caught.value)
    assert str(model) in str(caught.value)
    assert caught.value.remedy


def test_a_missing_shard_and_a_missing_tensor_are_named(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", shards=2)
    first, second = sorted(model.glob("*-of-*.safetensors"))
    second.write_bytes(first.read_bytes())
    with pytest.raises(StageError, match=r"model-00002-of-00002.safetensors: lacks layer.1"):
        validate_model_directory(model)
    second.unlink()
    with pytest.raises(StageError, match=r"model-00002-of-00002.safetensors: missing, although"):
        validate_model_directory(model)


def test_code_needs_an_explicit_yes_and_is_never_run(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (model / "modeling_x.py").write_text("open('canary', 'w')")
    edit(model / "config.json", auto_map={"AutoModelForCausalLM": "modeling_x.Model"})
    validate_model_directory(model, allow_code=True)
    assert not (tmp_path / "canary").exists()


def test_a_path_that_does_not_exist_is_an_error_and_no_hub_lookup(tmp_path: Path) -> None:
    with pytest.raises(StageError, match="no such directory"):
        validate_model_directory(tmp_path / "Qwen" / "Qwen2.5-0.5B-Instruct")
