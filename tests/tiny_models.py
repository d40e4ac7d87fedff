"""Random two-layer Llama models below 2 MB, which ms-swift trains and vLLM serves in seconds.

Run in the `train` environment: `python tests/tiny_models.py DIR [--untied] [--seed N] [--reward]`.
"""

import argparse
from pathlib import Path
from typing import Any

_SENTENCES = [
    "What is the capital of France? Paris is the capital of France.",
    "How do I cook rice? Rinse the rice, add water, and let it simmer with the lid on.",
    "Could you help me plan my day? Of course! Start with the hardest task and take short breaks.",
    "The weather is nice today, so let us take a walk in the park with our friends. 😊🎉✨",
]
_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
_VOCABULARY = 512
_CHATML = (
    "{% for message in messages %}{% if message['role'] != 'system' or message['content'] %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def make_tiny_model(directory: Path, tied: bool, seed: int = 0, reward: bool = False) -> None:
    """Write a float32 Llama with a byte-level tokenizer and a ChatML template; equal seeds give equal bytes.

    `tied` shares the input and output embeddings, which is what merging has to survive in both forms. `reward` makes it
    a reward model: one score for a conversation in place of the next token.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, LlamaForSequenceClassification

    tokenizer = make_tokenizer()
    end = tokenizer.convert_tokens_to_ids("<|im_end|>")
    config = LlamaConfig(
        vocab_size=_VOCABULARY,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,  # the smallest that vLLM's CPU attention takes
        max_position_embeddings=2048,
        tie_word_embeddings=tied,
        bos_token_id=None,
        eos_token_id=end,
        pad_token_id=tokenizer.pad_token_id,
        dtype=torch.float32,
        num_labels=1 if reward else 2,
    )
    torch.manual_seed(seed)
    if reward:
        model = LlamaForSequenceClassification(config)
        torch.nn.init.normal_(model.score.weight)  # scores far enough apart that an activation would show
    else:
        model = LlamaForCausalLM(config)
        model.generation_config.eos_token_id = end
    model.save_pretrained(directory)
    tokenizer.save_pretrained(directory)


def make_tokenizer() -> Any:
    """Every byte is a token, so any text can be encoded; the merges make English a little shorter."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=_SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_SENTENCES, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        unk_token="<|endoftext|>",
        chat_template=_CHATML,
        model_max_length=2048,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--untied", action="store_true")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reward", action="store_true")
    arguments = parser.parse_args()
    make_tiny_model(arguments.directory, not arguments.untied, arguments.seed, arguments.reward)
