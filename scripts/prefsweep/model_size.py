"""How large a model is, from the headers of its weight files: neither torch nor a tensor is loaded."""

from dataclasses import dataclass
from math import prod
from pathlib import Path

from safetensors import SafetensorError, safe_open


@dataclass(frozen=True)
class ModelSize:
    """Counts that costs are proportional to."""

    parameters: int
    adapted_rows_and_columns: int
    """Sum over the matrices a LoRA adapts of rows + columns: an adapter has `rank` times as many parameters."""
    vocabulary: int
    """Rows of the embedding; 0 where no tensor is called one."""
    other_bytes: int
    """Files beside the weights: tokenizer, configuration."""

    def adapter_bytes(self, rank: int) -> int:
        """Of a LoRA's file, whose numbers stay float32 whatever the base's are."""
        return self.adapted_rows_and_columns * rank * BYTES["float32"]

    def merged_bytes(self, precision: str) -> int:
        """Of a whole model in this precision."""
        return self.parameters * BYTES[precision] + self.other_bytes


BYTES = {"float32": 4, "bfloat16": 2}
"""Of one number."""
_NOT_ADAPTED = ("embed", "lm_head", "wte", "wpe")
"""Parts of names: `all-linear` leaves embeddings and the output matrix alone."""


def size_of(directory: Path) -> ModelSize | None:
    """The size of a model; None while there are no readable weights, as before it has been fetched."""
    shapes: dict[str, list[int]] = {}
    weights = sorted(directory.glob("*.safetensors"))
    try:
        for path in weights:
            with safe_open(path, framework="numpy") as tensors:
                shapes |= {name: tensors.get_slice(name).get_shape() for name in tensors.keys()}  # noqa: SIM118
    except (SafetensorError, OSError):
        return None
    if not shapes:
        return None
    of_words = {name: shape for name, shape in shapes.items() if any(part in name for part in _NOT_ADAPTED)}
    adapted = [shape for name, shape in shapes.items() if len(shape) == 2 and name not in of_words]
    beside = (path for path in directory.glob("*") if path.is_file() and path not in weights)
    return ModelSize(
        parameters=sum(prod(shape) for shape in shapes.values()),
        adapted_rows_and_columns=sum(sum(shape) for shape in adapted),
        vocabulary=max((shape[0] for shape in of_words.values()), default=0),
        other_bytes=sum(path.stat().st_size for path in beside),
    )


def _product(shape: list[int]) -> int:
    result = 1
    for length in shape:
        result *= length
    return result
