"""A model folder with a real tokenizer and chat template but only a handful of weights, written without torch."""

from pathlib import Path

import numpy
from safetensors.numpy import save_file

from prefsweep.files import write_json
from tests.tiny_models import make_tokenizer


def write_tokenizer_model(directory: Path) -> Path:
    """Write the folder: complete in every way a check can see, but nothing an engine could load."""
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(directory)
    end, pad = tokenizer.eos_token_id, tokenizer.pad_token_id
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "tie_word_embeddings": True}
    config |= {"eos_token_id": end, "pad_token_id": pad, "max_position_embeddings": 2048}
    write_json(directory / "config.json", config)
    write_json(directory / "generation_config.json", {"eos_token_id": end, "pad_token_id": pad})
    save_file({"layer.0": numpy.zeros((4, 4), numpy.float32)}, directory / "model.safetensors")
    return directory
