"""A model folder of a few hundred bytes, complete in every way a check can see, built without torch."""

import json
from pathlib import Path
from typing import Any

import numpy
from safetensors.numpy import save_file

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + "
    "'<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
DOCUMENTS: dict[str, dict[str, Any]] = {
    "config.json": {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "eos_token_id": 2},
    "generation_config.json": {"eos_token_id": [2, 0], "pad_token_id": 0},
    "tokenizer_config.json": {"eos_token": "<|im_end|>", "pad_token": {"content": "<|endoftext|>"}},
    "tokenizer.json": {
        "model": {"vocab": {"a": 3}},
        "added_tokens": [
            {"id": 0, "content": "<|endoftext|>"},
            {"id": 1, "content": "<|im_start|>"},
            {"id": 2, "content": "<|im_end|>"},
        ],
    },
}


def write_model(directory: Path, shards: int = 1) -> Path:
    """Write the folder, with one weights file or an index and several; returns `directory`."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, document in DOCUMENTS.items():
        (directory / name).write_text(json.dumps(document))
    (directory / "chat_template.jinja").write_text(CHATML)
    tensors = {f"layer.{number}": numpy.full((4, 4), number, numpy.float32) for number in range(shards)}
    if shards == 1:
        save_file(tensors, directory / "model.safetensors")
        return directory
    weight_map = {}
    for number, (name, tensor) in enumerate(tensors.items(), start=1):
        weight_map[name] = f"model-{number:05}-of-{shards:05}.safetensors"
        save_file({name: tensor}, directory / weight_map[name])
    (directory / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    return directory


def write_reward_model(directory: Path) -> Path:
    """The same folder as a reward model's."""
    write_model(directory)
    edit(directory / "config.json", architectures=["LlamaForSequenceClassification"], id2label={"0": "LABEL_0"})
    return directory


def edit(path: Path, **changes: Any) -> None:
    """Replace keys of a JSON file; None removes one."""
    document = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in document.items() if value is not None}))
