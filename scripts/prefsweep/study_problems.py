"""What is wrong with a study file, in words: file, line, key, what it should be, and the nearest right name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core.core_schema import ErrorType

from prefsweep.yaml_file import Document, Location


class StudyError(ValueError):
    """A study that cannot run; one line per problem."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def problem(document: Document, overrides: Mapping[str, Any], location: Location, message: str) -> str:
    """`FILE:LINE: KEY: message`, or `command line: KEY: message` where the key was given there."""
    given = bool(location) and location[0] in overrides
    where = "command line" if given else f"{document.path}:{document.line_of(location)}"
    return f"{where}: {'.'.join(map(str, location))}: {message}"


def described(
    error: ValidationError, document: Document, overrides: Mapping[str, Any], model: type[BaseModel]
) -> list[str]:
    """Each fault of a study once, in the order of the typed study. `model` is that study's."""
    found: dict[Location, list[str]] = {}
    for detail in error.errors():
        location = tuple(part for part in detail["loc"] if not str(part).startswith("<"))
        message = _unknown(location, model) if detail["type"] == "extra_forbidden" else _explained(detail)
        found.setdefault(location, []).append(message)
    return [problem(document, overrides, place, " or ".join(messages)) for place, messages in found.items()]


def _explained(detail: Any) -> str:
    given = detail["input"]
    if detail["type"] == "missing":
        return "is missing; add it"
    if given is None:
        return "is empty; give it a value, or remove the key"
    if detail["type"] not in get_args(ErrorType):
        return str(detail["msg"])  # an error of our own, which says all there is to say
    what = detail["msg"].removeprefix("Value error, ")
    hint = ""
    if detail["type"] == "literal_error":
        hint = _suggestion(str(given), re.findall(r"'([^']+)'", detail["ctx"]["expected"]))
    elif isinstance(given, str) and re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", given.strip(), re.IGNORECASE):
        hint = "; remove the quotes"
    return f"{what[0].lower()}{what[1:]}; it is {given!r}{hint}"


def _suggestion(given: str, allowed: Iterable[str]) -> str:
    close = get_close_matches(given, list(allowed), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _unknown(location: Location, model: type[BaseModel]) -> str:
    """About a key that is not known where it stands."""
    *place, key = location
    allowed = keys_at(model, place)
    if close := get_close_matches(str(key), allowed, n=1):
        return f"unknown key; did you mean {close[0]!r}? Allowed here: {_listed(allowed)}"
    elsewhere = [".".join(map(str, found)) or "the top" for found, keys in _sections(model, ()) if key in keys]
    places = " and of ".join([*elsewhere[:3], *["others"] * (len(elsewhere) > 3)])
    hint = f"it is a key of {places}; " if elsewhere else ""
    return f"unknown key; {hint}allowed here: {_listed(allowed)}"


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + f" and {more} more" * (more > 0)


_SHOWN = 60
"""Names in a list that is there to be read."""


def keys_at(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys a study file may have at a place such as `("methods", "dpo")`; the nearest section's for a value."""
    for part in location:
        field = model.model_fields.get(str(part))
        if field is not None:
            model = next(_models_in(field.annotation), next(_models_in(field.metadata), model))
    return [name for name, field in model.model_fields.items() if not field.exclude]


def _sections(model: type[BaseModel], place: Location) -> Iterator[tuple[Location, set[str]]]:
    yield place, set(model.model_fields)
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _sections(field.annotation, (*place, name))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in annotation if isinstance(annotation, list) else get_args(annotation):
        yield from _models_in(part)
