"""The papers a report cites: entries of `config/references.bib`, word for word."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_ENTRY = re.compile(r"^@\w+\{([a-z0-9]+),\n.*?^\}$", re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"arXiv:\d+\.\d+|https://\S+")
_CITED = re.compile(r"@([a-z0-9]+)")


def load_references(file: Path) -> dict[str, str]:
    """Key → entry. Raises ValueError that names the file for a key that two entries have."""
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(file.read_text(encoding="utf-8")):
        if entry[1] in found:
            raise ValueError(f"{file}: two entries are called {entry[1]}; give one of them another key")
        found[entry[1]] = entry[0]
    return found


def keys_of(paper: str, references: Mapping[str, str]) -> list[str]:
    """The entries of a paper that is named by its arXiv number or its address, as method files do."""
    marks = [mark.rstrip(".,;") for mark in _ADDRESS.findall(paper)]
    return [key for key, entry in references.items() if any(f"{mark}}}" in entry for mark in marks)]


def citation(keys: Iterable[str]) -> str:
    """A citation as Pandoc reads it: `[@key; @other]`; nothing without keys."""
    marks = "; ".join(f"@{key}" for key in keys)
    return f" [{marks}]" if marks else ""


def bibliography(text: str, references: Mapping[str, str]) -> str:
    """The entries that a text cites, in the order in which it does."""
    keys = dict.fromkeys(_CITED.findall(text))
    return "\n\n".join(references[key] for key in keys if key in references) + "\n"
