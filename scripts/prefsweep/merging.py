"""The adapter folded into its base by ms-swift, and the proof that the result is base + adapter and nothing else.

The base arm goes through the same loader and the same writer, so that tokenizer, chat template and generation
config agree between arms.
"""

import gc
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from swift.model import save_checkpoint
from swift.pipelines.export.export import SwiftExport
from swift.pipelines.utils import prepare_model_template
from transformers import AutoModelForCausalLM

from prefsweep.gates.merge import check_finite, check_merge, parity_bound
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.merge import Probe, RenderedPrompt


def export_arguments(
    model: Path, model_type: str, template: str, precision: str, output: Path, adapter: Path | None
) -> list[str]:
    """Arguments of `swift export`, which merges when there is an adapter. `output` must not exist."""
    arguments = [
        *("--model", str(model), "--model_type", model_type, "--template", template),
        *("--torch_dtype", precision, "--load_args", "false"),
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


@dataclass(frozen=True)
class Conversation:
    """A held-out prompt with its preferred answer, as token ids."""

    prompt: str
    token_ids: list[int]
    answer_tokens: int
    """How many of them, at the end, lm-eval counts to the answer: white space that ends a prompt is among them."""


def conversations(template: Any, prompts: list[HeldOutPrompt]) -> list[Conversation]:
    """Held-out prompts with their preferred answers in the tokens of the trainer's template."""
    found = []
    for rendered, prompt in zip(render(template, prompts), prompts, strict=True):
        answer = template.tokenizer.encode(prompt.chosen, add_special_tokens=False)
        blank = takewhile(lambda token: not template.tokenizer.decode([token]).strip(), reversed(rendered.token_ids))
        found.append(Conversation(prompt.id, rendered.token_ids + answer, len(list(blank)) + len(answer)))
    return found


@dataclass(frozen=True)
class Proof:
    """What comparing a merged model with its parts gave; None where there is nothing to compare with: the base arm."""

    logits: list[torch.Tensor]
    """Of the merged model in its own precision, per conversation, shape (tokens, vocabulary)."""
    parity: float | None
    change: float | None
    bound: float


def prove(directory: Path, base: Path, adapter: Path | None, precision: str, probes: list[Conversation]) -> Proof:
    """Hold the merged model in `directory`, loaded again from its files, against the base and against base + adapter.

    Raises StageError where the gate does.
    """
    merged = answers_of(directory, None, precision, probes)
    largest = [float(logits.abs().max()) for logits in merged.logits]
    check_finite(largest)
    bound = parity_bound(precision, max(largest))
    if adapter is None:
        return Proof(merged.logits, None, None, bound)
    untouched = answers_of(base, None, precision, probes)
    parts = answers_of(base, adapter, precision, probes)
    change = largest_difference(merged.logits, untouched.logits)
    parity = largest_difference(merged.logits, parts.logits)
    check_merge(parity, change, bound, untouched.tied, merged.tied)
    return Proof(merged.logits, parity, change, bound)


@dataclass(frozen=True)
class Answers:
    """What a model, just loaded, says of the probes, and whether its embedding and output matrices are one."""

    logits: list[torch.Tensor]
    tied: bool


def answers_of(directory: Path, adapter: Path | None, precision: str, probes: list[Conversation]) -> Answers:
    """Float32 logits of each conversation, shape (tokens, vocabulary), under a model with or without an adapter.

    On several GPUs each holds some of the model's layers.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = AutoModelForCausalLM.from_pretrained(
        directory,
        dtype=getattr(torch, precision),
        device_map="auto" if torch.cuda.device_count() > 1 else device,
        trust_remote_code=False,
        local_files_only=True,
    )
    inputs, outputs = model.get_input_embeddings(), model.get_output_embeddings()
    tied = inputs.weight.data_ptr() == outputs.weight.data_ptr()
    if adapter is not None:
        model = PeftModel.from_pretrained(model, adapter)
    model.eval()
    with torch.inference_mode():
        found = [model(torch.tensor([p.token_ids], device=device)).logits[0].float().cpu() for p in probes]
    del model
    gc.collect()
    return Answers(found, tied)


def as_probe(conversation: Conversation, logits: torch.Tensor) -> Probe:
    """What the merged model says of a conversation, given its logits of shape (tokens, vocabulary)."""
    log_probs = torch.log_softmax(logits[:-1], dim=-1).gather(1, torch.tensor(conversation.token_ids[1:])[:, None])
    return Probe(
        prompt=conversation.prompt,
        token_ids=conversation.token_ids,
        answer_tokens=conversation.answer_tokens,
        log_probs=log_probs[:, 0].tolist(),
    )


def largest_difference(left: list[torch.Tensor], right: list[torch.Tensor]) -> float:
    """max |left − right| over all probes."""
    return max(float((a - b).abs().max()) for a, b in zip(left, right, strict=True))
