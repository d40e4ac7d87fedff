"""Every key of a study file as Markdown tables, from the schema that editors complete by."""

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_KINDS = {"integer": "whole number", "string": "text", "boolean": "`true`, `false`"}
_BOUNDS = {"exclusiveMinimum": "> {}", "minimum": "≥ {}", "exclusiveMaximum": "< {}", "maximum": "≤ {}"}


def key_tables(schema: Schema) -> str:
    """A table for the top of the file and one for each section below it, in the file's order.

    A method's table leaves out what it shares with `train`.
    """
    shared = set(_section(schema, ("train",))["properties"])
    methods = _section(schema, ("methods",))["properties"]
    places = [(), ("train",), *(("methods", name) for name in methods)]
    places += [("search",), ("search", "halving"), ("generate",), ("generate", "slo"), ("evaluate",)]
    places += [("evaluate", "tasks"), ("evaluate", "judge"), ("evaluate", "judge", "price")]
    places += [("evaluate", "reward_model"), ("cost",)]
    return "\n".join(_table(schema, place, shared if place[:1] == ("methods",) else set()) for place in places)


def _table(schema: Schema, place: tuple[str, ...], left_out: set[str]) -> str:
    section = _section(schema, place)
    required = section.get("required", [])
    heading = f"### `{'.'.join(place)}`" if place else "### The top of the file"
    lines = [heading, "", "| key | values | default | meaning |", "|---|---|---|---|"]
    for key, field in section["properties"].items():
        if key not in left_out:
            default = "required" if key in required else _default(field)
            cells = (f"`{key}`", _values(schema, field), default, field.get("description", ""))
            lines.append(f"| {' | '.join(cell.replace('|', '∣') for cell in cells)} |")
    return "\n".join([*lines, ""])


def _section(schema: Schema, place: tuple[str, ...]) -> Schema:
    """The keys at a place, or of the items of the list there."""
    section = schema
    for key in place:
        forms = [*_offered(schema, section["properties"][key])]
        items = [item for form in forms if "items" in form for item in _offered(schema, form["items"])]
        section = next(form for form in forms + items if "properties" in form)
    return section


def _offered(schema: Schema, field: Schema) -> Iterator[Schema]:
    """The forms a value may have, references followed."""
    if "$ref" in field:
        yield from _offered(schema, schema["$defs"][field["$ref"].rpartition("/")[2]])
        return
    alternatives = field.get("anyOf") or field.get("oneOf")
    if not alternatives or "properties" in field:  # of a section: which of its keys go together
        yield field
        return
    for alternative in alternatives:
        yield from _offered(schema, alternative)


def _default(field: Schema) -> str:
    value = field.get("default")
    if value is None or isinstance(value, dict):
        return ""
    return f"`{str(value).lower() if isinstance(value, bool) else value}`".replace("'", "")


def _values(schema: Schema, field: Schema) -> str:
    shown = [_form(schema, form) for form in _offered(schema, field)]
    plain = list(dict.fromkeys(text for text in shown if text))
    swept = any(form.get("type") == "array" for form in _offered(schema, field)) and len(plain) > 1
    if swept and "a range" in plain:
        return f"{plain[0]}; a list; a range"
    if swept:
        return "; ".join([plain[0], *(text for text in plain[1:] if text == _CONTENTS), "a list"])
    return "; ".join(plain)


_CONTENTS = "keys of its own"


def _form(schema: Schema, form: Schema) -> str:
    if "enum" in form:
        return ", ".join(f"`{value}`" for value in form["enum"])
    if "const" in form:
        return f"`{form['const']}`"
    kind = form.get("type", "")
    if kind == "array":
        items = " or ".join(dict.fromkeys(_form(schema, item) for item in _offered(schema, form["items"])))
        return f"list of {items}"
    if kind == "object":
        return "a range" if {"min", "max"} <= form.get("properties", {}).keys() else _CONTENTS
    if kind == "null":
        return "`null`"
    given = [(text, form[name]) for name, text in _BOUNDS.items() if name in form]
    bounds = [text.format(f"{bound:,}".removesuffix(".0")) for text, bound in given]
    return ", ".join([_KINDS.get(kind, str(kind)), *bounds])
