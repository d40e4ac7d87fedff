"""Write config/engine/arguments.json: what `swift rlhf` accepts, by name and type, read from the installed ms-swift.

The train environment runs this; the workflow, which has no ms-swift, checks studies with what it wrote.
"""

import argparse
import dataclasses
import json
import re
import types
import typing
from enum import Enum
from importlib.metadata import version
from inspect import get_annotations
from pathlib import Path
from typing import Any

from swift.arguments import RLHFArguments

from prefsweep.files import write_text

FILE = Path(__file__).resolve().parent.parent / "config" / "engine" / "arguments.json"
_NOT_OURS = {
    "GRPOArguments",
    "GRPOArgumentsMixin",
    "GenerationArguments",
    "PPOArguments",
    "RayArguments",
    "RewardModelArguments",
    "RolloutTrainerArgumentsMixin",
    "TeacherModelArguments",
    "VllmArguments",
}
"""Classes whose arguments serve online methods, reward models and inference: `swift rlhf` takes them in silence."""
_NOT_OF_A_LORA = re.compile(
    r"(adalora|adapter|bnb|boft|decision|fourier|galore|hqq|lisa|llamapro|lora_ga|reft|vera)_.*"
)
"""And those of other tuners, quantisation and tasks."""
_TYPES = {bool: "boolean", int: "integer", float: "number", str: "text"}


def arguments_text() -> str:
    """The file's text, one argument a line, so that a new version of ms-swift shows as a readable difference."""
    described = {field.name: _described(field.type) for field in dataclasses.fields(RLHFArguments)}
    used = {name: json.dumps(about) for name, about in sorted(described.items()) if not _elsewhere(name)}
    lines = ",\n".join(f"    {json.dumps(name)}: {about}" for name, about in used.items())
    unused = json.dumps(sorted(described.keys() - used.keys()), indent=4).replace("\n]", "\n  ]")
    return (
        f'{{\n  "ms_swift": {json.dumps(version("ms-swift"))},\n  "arguments": {{\n{lines}\n  }},\n'
        f'  "unused": {unused}\n}}\n'
    )


def _elsewhere(name: str) -> bool:
    owners = {owner.__name__ for owner in RLHFArguments.__mro__ if name in get_annotations(owner)}
    return owners <= _NOT_OURS or bool(_NOT_OF_A_LORA.fullmatch(name))


def _described(annotation: Any) -> dict[str, Any]:
    """Type, and where they are listed choices, of one argument; None among them means that it may stay unset."""
    parts = [part for part in _members(annotation) if part is not type(None)]
    choices = [choice for part in parts for choice in _choices(part, free=str in parts)]
    if choices:
        return {"type": "text", "choices": choices}
    for part in parts:
        if typing.get_origin(part) is list:
            return {"type": _TYPES.get(typing.get_args(part)[0], "text"), "many": True}
    if any(part is dict or typing.get_origin(part) is dict for part in parts):
        return {"type": "mapping"}
    known = [_TYPES[part] for part in parts if part in _TYPES]
    return {"type": known[0] if len(known) == 1 == len(parts) else "text"}


def _members(annotation: Any) -> tuple[Any, ...]:
    unions = (typing.Union, types.UnionType)
    return typing.get_args(annotation) if typing.get_origin(annotation) in unions else (annotation,)


def _choices(part: Any, free: bool) -> list[str]:
    if typing.get_origin(part) is typing.Literal and not free:
        return [str(choice) for choice in typing.get_args(part) if choice is not None]
    if isinstance(part, type) and issubclass(part, Enum):
        return [str(member.value) for member in part]
    return []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=FILE, help="where to write (default: %(default)s)")
    write_text(parser.parse_args().output, arguments_text())


if __name__ == "__main__":
    main()
