"""The adapter folded into its base by ms-swift, and the proof that the result is base + adapter and nothing else.

The base arm goes through the same loader and the same writer, so that tokenizer, chat template and generation
config agree between arms.
"""

import gc
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from swift.model import save_checkpoint
from swift.pipelines.export.export import SwiftExport
from swift.pipelines.utils import prepare_model_template
from transformers import AutoModelForCausalLM

from prefsweep.failures import StageError
from prefsweep.records import HeldOutPrompt, Probe, RenderedPrompt

PARITY_BOUND = {"float32": 1e-5, "bfloat16": 0.25}
"""Largest allowed |merged − (base + adapter)| of a logit, relative to the largest logit. In bfloat16 the merged
weights are rounded to 8 bits of mantissa, which base + adapter are not."""


def export_arguments(
    model: Path, model_type: str, template: str, precision: str, output: Path, adapter: Path | None
) -> list[str]:
    """Arguments of `swift export`, which merges when there is an adapter. `output` must not exist."""
    arguments = [
        *("--model", str(model), "--model_type", model_type, "--template", template),
        *("--torch_dtype", precision, "--check_model", "false", "--load_args", "false"),
        *("--output_dir", str(output)),
    ]
    return arguments if adapter is None else [*arguments, "--adapters", str(adapter), "--merge_lora", "true"]


def export(arguments: list[str]) -> Any:
    """Write the model `arguments` ask for and return ms-swift's template, which renders prompts as training did."""
    pipeline = SwiftExport(arguments)
    options = pipeline.args
    output = options.output_dir
    if options.merge_lora:
        pipeline.main()
        return options.get_template(options.get_model_processor(model=output, load_model=False)[1])
    model, template = prepare_model_template(options)
    save_checkpoint(model, template.processor, output, additional_saved_files=model.model_meta.additional_saved_files)
    return template


def render(template: Any, prompts: list[HeldOutPrompt]) -> list[RenderedPrompt]:
    """Token ids of prompts, generation prompt included, as ms-swift's template encodes them for inference."""
    template.set_mode("transformers")
    return [
        RenderedPrompt(prompt=prompt.id, token_ids=template.encode({"messages": prompt.messages})["input_ids"])
        for prompt in prompts
    ]


def probe_ids(template: Any, prompts: list[HeldOutPrompt]) -> list[list[int]]:
    """Token ids of whole held-out conversations with the preferred answer, shape (prompts, tokens)."""
    tokenizer = template.tokenizer
    rendered = render(template, prompts)
    answers = [tokenizer.encode(prompt.chosen, add_special_tokens=False) for prompt in prompts]
    return [prompt.token_ids + answer for prompt, answer in zip(rendered, answers, strict=True)]


def logits_of(directory: Path, adapter: Path | None, precision: str, probes: list[list[int]]) -> list[torch.Tensor]:
    """Float32 logits of each probe, shape (tokens, vocabulary), under a model with or without an adapter."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        directory, dtype=getattr(torch, precision), trust_remote_code=False, local_files_only=True
    ).to(device)
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    with torch.inference_mode():
        found = [model(torch.tensor([ids], device=device)).logits[0].float().cpu() for ids in probes]
    del model
    gc.collect()
    return found


def as_probe(token_ids: list[int], logits: torch.Tensor) -> Probe:
    """What the merged model says of `token_ids`, given its logits of shape (tokens, vocabulary)."""
    log_probs = torch.log_softmax(logits[:-1], dim=-1)
    chosen = log_probs.gather(1, torch.tensor(token_ids[1:])[:, None])
    return Probe(token_ids=token_ids, log_prob=float(chosen.sum()), greedy_token_id=int(logits[-1].argmax()))


def largest_difference(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """max |left − right| over all probes."""
    return max(float((a - b).abs().max()) for a, b in zip(left, right, strict=True))


def check_merge(parity: float, change: float, bound: float, tied: bool, tied_after_reload: bool) -> None:
    """The gate before a merged model counts. Raises StageError with the bound and the found value."""
    if parity > bound:
        raise StageError(
            "model",
            f"merged and base + adapter differ by {parity:.3g} in a logit, more than {bound:.3g}",
            "Delete the run's folder and run again; if it persists, this architecture does not merge losslessly.",
        )
    if change == 0:
        raise StageError("no_effect", "the merged model equals the base model: the merge lost the adapter")
    if tied != tied_after_reload:
        raise StageError("model", f"tie_word_embeddings was {tied} and is {tied_after_reload} after the merge")
