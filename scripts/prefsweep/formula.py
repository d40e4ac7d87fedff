"""Formulas of the catalogue's files: `{…}` holds arithmetic over knobs, as in `{1 / (4 * beta**2)}`; other text stays.

They are Jinja's expressions, which have `a if b else c`, `none` and `**`, and reach nothing but the knobs and `log`.
"""

from collections.abc import Mapping
from math import log
from typing import Any

from jinja2 import StrictUndefined, TemplateError, meta
from jinja2.nativetypes import NativeEnvironment

_FORMULAS = NativeEnvironment(variable_start_string="{", variable_end_string="}", undefined=StrictUndefined)
_FORMULAS.globals = {"log": log}


def evaluated(value: Any, knobs: Mapping[str, float]) -> Any:
    """A formula's number (or None), or a text without braces as it is; in a list, one by one."""
    if isinstance(value, list):
        return [evaluated(item, knobs) for item in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    return _FORMULAS.from_string(value).render(knobs)


def unknown_names(value: Any, knobs: Mapping[str, Any]) -> list[str]:
    """Names in a formula that are no knob. Raises ValueError when it is no formula at all."""
    if isinstance(value, list):
        return [name for item in value for name in unknown_names(item, knobs)]
    if not isinstance(value, str) or "{" not in value:
        return []
    if "{-" in value:
        raise ValueError(f"{value!r}: a formula cannot begin with a minus, which Jinja takes for a command; reorder it")
    try:
        names = meta.find_undeclared_variables(_FORMULAS.parse(value))
    except TemplateError as error:
        raise ValueError(f"{value!r} is no formula: {error}") from None
    return sorted(names - knobs.keys() - _FORMULAS.globals.keys())
