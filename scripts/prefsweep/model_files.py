"""Is this directory a model that can be trained, merged and served? Asked before anything expensive.

Reads headers and JSON only: no torch, and never the model's own code.
"""

import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from prefsweep.failures import StageError
from prefsweep.records.base import read_document

_INDEX = "model.safetensors.index.json"
_ANSWER = "ANSWER"
_RESAVE = "Load it with transformers where you trust it and save it again with save_pretrained()."


@dataclass(frozen=True)
class ModelFacts:
    """What training and serving must agree on."""

    eos_token: str
    eos_token_ids: list[int]
    pad_token: str | None
    pad_token_id: int | None
    chat_template_sha256: str


def validate_model_directory(directory: Path, allow_code: bool = False) -> ModelFacts:
    """Check a model directory in milliseconds and say what it ends a turn with.

    Raises StageError("model") that names the file and the remedy when it is not a complete safetensors model
    of a causal language model, ships code without `allow_code`, or does not end a turn with its eos token.
    """
    if not directory.is_dir():
        raise StageError("model", f"{directory}: no such directory", "Correct the model's path.")
    config = read_json(directory / "config.json")
    if not allow_code:
        refuse_code(directory, "Read the code; if you trust it, set allow_code: true for this local model.")
    _refuse_adapter(directory)
    _check_architecture(directory, config)
    check_weights(directory)
    return _turn_end(directory, config)


def read_json(path: Path) -> dict[str, Any]:
    """A model's JSON file. Raises StageError("model") that names it when it is not an object."""
    try:
        value = read_document(path)
    except FileNotFoundError:
        raise StageError("model", f"{path}: no such file", "Give a directory that has one.") from None
    except ValueError as error:
        raise StageError("model", f"{path}: not valid JSON ({error})", "Fetch this file again.") from None
    if not isinstance(value, dict):
        raise StageError("model", f"{path}: not a JSON object", "Fetch this file again.")
    return value


def refuse_code(directory: Path, remedy: str) -> None:
    """Raise StageError("model") where loading the directory could execute what is in it, or in a repository it names.

    ms-swift reads every model directory with trust_remote_code, parts of it that are no language model's included.
    """
    for path in sorted(directory.glob("*config.json")):
        if _has_key(read_json(path), "auto_map"):
            raise StageError("model", f"{path}: auto_map makes loading it execute code", remedy)
    if code := sorted(directory.rglob("*.py")):
        raise StageError("model", f"{code[0]}: a model must not ship Python code", remedy)
    arguments = directory / "args.json"
    if arguments.exists():
        for key in ("external_plugins", "custom_register_path"):
            if read_json(arguments).get(key):
                raise StageError("model", f"{arguments}: {key} makes ms-swift execute code", remedy)


def _has_key(value: Any, key: str) -> bool:
    """Whether some object within a JSON value has this key: a model's parts have configurations of their own."""
    if isinstance(value, list):
        return any(_has_key(item, key) for item in value)
    return isinstance(value, dict) and (key in value or any(_has_key(item, key) for item in value.values()))


def _refuse_adapter(directory: Path) -> None:
    """transformers would load it with the model, vLLM would not, and it may be a pickle."""
    path = directory / "adapter_config.json"
    if path.exists():
        remedy = "Merge the adapter into the model first, or remove its files."
        raise StageError("model", f"{path}: an adapter lies in the model's folder", remedy)


def _check_architecture(directory: Path, config: dict[str, Any]) -> None:
    path = directory / "config.json"
    architectures = config.get("architectures") or []
    if not any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in architectures):
        found = ", ".join(architectures) or "none"
        raise StageError("model", f"{path}: not a causal language model (architectures: {found})")
    if "quantization_config" in config:
        raise StageError(
            "model",
            f"{path}: the weights are quantised, and an adapter cannot be merged into them",
            "Use the model's unquantised release.",
        )


def check_weights(directory: Path) -> None:
    """Raise StageError("model") unless the directory has whole safetensors files with all promised tensors."""
    index, single = directory / _INDEX, directory / "model.safetensors"
    if index.exists():
        weight_map = read_json(index).get("weight_map")
        if not isinstance(weight_map, dict) or not weight_map:
            raise StageError("model", f"{index}: has no weight_map", "Fetch this file again.")
        for shard in sorted(set(weight_map.values())):
            expected = {tensor for tensor, file in weight_map.items() if file == shard}
            if missing := sorted(expected - _tensors(directory / shard)):
                raise StageError("model", f"{directory / shard}: lacks {missing[0]}, which {_INDEX} promises")
    elif single.exists():
        _tensors(single)
    elif pickles := sorted(directory.glob("*.bin")) + sorted(directory.glob("*.pt*")):
        raise StageError("model", f"{pickles[0]}: pickled weights can execute code and are refused", _RESAVE)
    else:
        raise StageError("model", f"{directory}: has neither model.safetensors nor {_INDEX}", _RESAVE)


def _tensors(path: Path) -> set[str]:
    """The names of a file's tensors; opening it checks that its header fits its size."""
    if not path.exists():
        raise StageError("model", f"{path}: missing, although {_INDEX} names it", "Fetch this shard.")
    try:
        with safe_open(path, framework="numpy") as tensors:
            return set(tensors.keys())
    except (SafetensorError, OSError) as error:
        what = f"{path}: truncated or damaged, {path.stat().st_size} bytes ({error})"
        raise StageError("model", what, "Fetch this file again and compare its size and sha256.") from None


def _turn_end(directory: Path, config: dict[str, Any]) -> ModelFacts:
    path = directory / "tokenizer_config.json"
    settings = read_json(path)
    eos, pad = token_text(settings.get("eos_token")), token_text(settings.get("pad_token"))
    if eos is None:
        raise StageError("model", f"{path}: has no eos_token", "Set eos_token to the token that ends a turn.")
    template = chat_template(directory)
    after = _rendered(directory, template, settings).rpartition(_ANSWER)[2].lstrip()
    if not after.startswith(eos):
        raise StageError(
            "model",
            f"{path}: the eos_token is {eos}, but the chat template ends a turn with {after.strip()[:24]!r}",
            "Set eos_token to the token that ends a turn, or answers will never stop there.",
        )
    ids = token_ids(directory)
    for token in (eos, pad):
        if token is not None and token not in ids:
            raise StageError("model", f"{directory / 'tokenizer.json'}: has no token {token}")
    eos_ids = _eos_ids(directory, config)
    if ids[eos] not in eos_ids:
        what = f"generation stops at token ids {eos_ids}, not at {eos} ({ids[eos]}) that ends a turn"
        raise StageError("model", f"{directory}: {what}", "Correct eos_token_id in generation_config.json.")
    return ModelFacts(eos, eos_ids, pad, None if pad is None else ids[pad], sha256(template.encode()).hexdigest())


def chat_template(directory: Path) -> str:
    """The model's Jinja chat template. Raises StageError("model") when it has none."""
    path = directory / "chat_template.jinja"
    if path.exists():
        return path.read_text(encoding="utf-8")
    template = read_json(directory / "tokenizer_config.json").get("chat_template")
    if isinstance(template, list):
        template = next((entry["template"] for entry in template if entry["name"] == "default"), None)
    if not isinstance(template, str):
        remedy = "Add chat_template.jinja, or use the model's instruct release."
        raise StageError("model", f"{directory}: has no chat template", remedy)
    return template


def token_text(token: str | dict[str, Any] | None) -> str | None:
    """A special token of tokenizer_config.json, which is text or an object with `content`."""
    return token["content"] if isinstance(token, dict) else token


def token_ids(directory: Path) -> dict[str, int]:
    """Token text → id, of added tokens and the vocabulary of tokenizer.json."""
    tokenizer = read_json(directory / "tokenizer.json")
    listed = tokenizer["model"]["vocab"]
    ids: dict[str, int] = listed if isinstance(listed, dict) else {row[0]: id for id, row in enumerate(listed)}
    return ids | {token["content"]: token["id"] for token in tokenizer["added_tokens"]}


def _eos_ids(directory: Path, config: dict[str, Any]) -> list[int]:
    path = directory / "generation_config.json"
    generation = read_json(path) if path.exists() else {}
    ids = generation.get("eos_token_id", config.get("eos_token_id"))
    return ids if isinstance(ids, list) else [] if ids is None else [ids]


def _rendered(directory: Path, template: str, settings: dict[str, Any]) -> str:
    """A two-turn conversation as the server will render it."""
    # transformers would tell every user of the environment without torch that torch is missing
    os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")
    from transformers.utils.chat_template_utils import render_jinja_template

    special = {key: token_text(settings.get(key)) or "" for key in ("bos_token", "eos_token", "pad_token")}
    turns = [{"role": "user", "content": "QUESTION"}, {"role": "assistant", "content": _ANSWER}]
    try:
        rendered, _ = render_jinja_template(conversations=[turns], chat_template=template, **special)
    except Exception as error:  # a template is a program of the model's author: anything can go wrong in it
        what = f"{directory}: the chat template fails on a plain conversation ({type(error).__name__}: {error})"
        raise StageError("model", what, "Correct chat_template.jinja.") from error
    if _ANSWER not in rendered[0]:
        raise StageError("model", f"{directory}: the chat template drops the assistant's answer")
    return str(rendered[0])
