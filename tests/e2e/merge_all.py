"""Merges of random adapters into a model by the real engine, sound and with planted faults; verdicts go to stdout.

Run in the trainer's environment: `python merge_all.py MODEL FOLDER`.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError

MARK = "MERGED "
TEXTS = [f"What is {number} times {number + 3}? It is {number}. 🎉 And why? Count them with me." for number in range(8)]


def write_adapter(base: Path, folder: Path, seed: int, scale: float) -> Path:
    """A LoRA whose B matrices are random, of standard deviation `scale`."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(seed)
    config = LoraConfig(r=4, lora_alpha=16, target_modules="all-linear", task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), config)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=scale)
    model.save_pretrained(folder)
    return folder


def untie(merged: Path, folder: Path) -> Path:
    """The same model whose embedding and output matrices are two, changed in nothing else."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(merged)
    model.config.tie_word_embeddings = False
    model.lm_head.weight = type(model.lm_head.weight)(model.lm_head.weight.detach().clone())
    model.save_pretrained(folder)
    return folder


def main(base: Path, folder: Path) -> None:
    from transformers import AutoTokenizer

    from prefsweep import merging

    tokenizer = AutoTokenizer.from_pretrained(base)
    probes = [merging.Conversation(text, tokenizer.encode(text), 3) for text in TEXTS]

    def merged(name: str, adapter: Path) -> Path:
        arguments = merging.export_arguments(base, "llama", "chatml", "float32", folder / name, adapter)
        merging.export(arguments)
        return folder / name

    ours, theirs = (write_adapter(base, folder / f"adapter-{seed}", seed, 0.05) for seed in (1, 2))
    nothing = write_adapter(base, folder / "adapter-of-zeros", 3, 0.0)
    sound = merged("sound", ours)
    cases: dict[str, Callable[[], tuple[Path, Path]]] = {
        "sound": lambda: (sound, ours),
        "the base in its place": lambda: (base, ours),
        "another run's model in its place": lambda: (merged("theirs", theirs), ours),
        "an adapter of zeros": lambda: (merged("nothing", nothing), nothing),
        "embeddings that are no longer shared": lambda: (untie(sound, folder / "untied"), ours),
    }
    for name, case in cases.items():
        told: dict[str, Any] = {"case": name, "parity": None, "change": None, "failure": None, "message": None}
        try:
            directory, adapter = case()
            proof = merging.prove(directory, base, adapter, "float32", probes)
            told |= {"parity": proof.parity, "change": proof.change}
        except StageError as error:
            told |= {"failure": error.failure, "message": str(error)}
        print(f"\n{MARK}{json.dumps(told)}", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
