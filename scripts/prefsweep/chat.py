"""The study's own tokenizer and chat template: how long a row is, and what it must not contain."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.files import sha256_of, sha256_of_json
from prefsweep.formats import Turn

_BATCH = 512
_FILES = ("tokenizer*", "vocab*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model")


class ChatTokenizer:
    """A model directory's tokenizer, read without torch, network or code from the directory."""

    def __init__(self, directory: Path) -> None:
        """Raises StageError of class `model` when there is no usable tokenizer with a chat template."""
        from transformers import AutoTokenizer

        try:
            self._tokenizer: Any = AutoTokenizer.from_pretrained(
                directory, local_files_only=True, trust_remote_code=False
            )
        except (OSError, ValueError, KeyError, ImportError) as error:
            raise StageError("model", f"{directory} has no tokenizer that can be read: {error}") from error
        if not self._tokenizer.chat_template:
            remedy = "Add the model's chat template (chat_template.jinja), or study an instruction-tuned model."
            raise StageError("model", f"the tokenizer in {directory} has no chat template", remedy)
        added = self._tokenizer.added_tokens_decoder.values()
        special = {str(token) for token in added if token.special} | set(self._tokenizer.all_special_tokens)
        self.special_tokens = sorted(special)
        """Texts that are one control token for this model and must not occur in a row."""
        paths = sorted({path for pattern in _FILES for path in directory.glob(pattern)})
        self.tokenizer_sha256 = sha256_of_json({path.name: sha256_of(path) for path in paths})
        self.chat_template_sha256 = sha256_of_json(self._tokenizer.chat_template)

    def render(self, messages: list[Turn], answer: str) -> str:
        """The whole dialogue as the model sees it. Raises jinja2.TemplateError if the template refuses it."""
        turns = [*messages, {"role": "assistant", "content": answer}]
        return str(self._tokenizer.apply_chat_template(turns, tokenize=False))

    def lengths(self, texts: Iterable[str]) -> Iterator[int]:
        """The number of tokens of each text, no special tokens added."""
        stream = iter(texts)
        while batch := list(islice(stream, _BATCH)):
            encoded = self._tokenizer(batch, add_special_tokens=False, verbose=False)
            yield from (len(ids) for ids in encoded["input_ids"])
