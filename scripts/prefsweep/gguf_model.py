"""A GGUF file as a plain bfloat16 safetensors model, which ms-swift can train and vLLM can serve."""

from pathlib import Path

from prefsweep.files import write_json
from prefsweep.records.base import read_document

_LEFT_BY_CONVERSION = {
    "config.json": ("_model_name_or_path",),
    "tokenizer_config.json": ("is_local", "local_files_only"),
}


def dequantise(gguf: Path, directory: Path) -> None:
    """Write the model and tokenizer of a GGUF file into `directory`; equal files give equal bytes.

    The weights are copied into a freshly built model, because one that was loaded from GGUF refuses to be
    saved and carries its quantiser along. Runs where torch and gguf are installed.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GgufConfig

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    unpacked = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    plain = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(**source), dtype=torch.bfloat16)
    plain.load_state_dict(unpacked.state_dict())
    plain.save_pretrained(directory)
    AutoTokenizer.from_pretrained(**source).save_pretrained(directory)
    for name, keys in _LEFT_BY_CONVERSION.items():
        document = read_document(directory / name)
        write_json(directory / name, {key: value for key, value in document.items() if key not in keys})
    for weights in directory.glob("*.safetensors"):  # written as readable by their owner alone
        weights.chmod(0o644)
