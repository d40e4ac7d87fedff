"""The forms in which a study gives a key's values: one value, a list of them, or a range.

Each form is checked on its own, so that a fault is reported once, where it is, not once per form that was not meant.
"""

from typing import Annotated, Any, Self

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, create_model, model_validator

from prefsweep.settings import Strict

_DIGITS = 3
"""Significant digits of values inside a range: powers differ in the last bits between machines, identities must not."""


class Range(Strict):
    """Numbers from `min` to `max`, both included; whole ones where both ends are whole numbers by type."""

    min: Any
    max: Any
    log: bool = Field(False, strict=True, description="Even in the logarithm: as many values from 1 to 10 as to 100.")
    num: int | None = Field(
        None, strict=True, ge=2, le=1000, description="Stands for a list of so many values; unset: random draws."
    )

    @property
    def values(self) -> list[float]:
        """The list that `num` values stand for, in rising order."""
        last = (self.num or 2) - 1
        return [self.min, *(self.at(step / last) for step in range(1, last)), self.max]

    def at(self, share: float) -> float:
        """The value at a share, 0 to 1, of the way from `min` to `max`."""
        whole = isinstance(self.min, int)
        low, high = (self.min, self.max + 1) if whole and self.num is None else (self.min, self.max)
        exact = low * (high / low) ** share if self.log else low + (high - low) * share
        if whole:
            return min(int(exact) if self.num is None else round(exact), int(self.max))
        return float(min(max(float(f"{exact:.{_DIGITS}g}"), self.min), self.max))

    @model_validator(mode="after")
    def _is_a_range(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min {self.min:g} is not below max {self.max:g}; exchange or change them")
        if self.log and self.min <= 0:
            raise ValueError(f"log needs min above 0, and it is {self.min:g}; raise min or remove log")
        if self.num and len(set(self.values)) < self.num:
            raise ValueError(f"has fewer than num {self.num} values between {self.min:g} and {self.max:g}; lower num")
        return self


_ONE, _LIST, _RANGE = "<one>", "<list>", "<range>"
"""Parts of the location of a fault that no file has, so that they are easily told from those it has."""


def _form(value: Any) -> str:
    if isinstance(value, list):
        return _LIST
    return _RANGE if isinstance(value, dict | Range) else _ONE


def _without_repeats(values: list[Any]) -> list[Any]:
    repeated = [value for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise ValueError(f"lists {', '.join(dict.fromkeys(map(str, repeated)))} more than once; keep one of them")
    return values


distinct_values = AfterValidator(_without_repeats)


def distinct(item: Any) -> Any:
    """The type of a non-empty list of different items."""
    return Annotated[list[item], Field(min_length=1), distinct_values]


def swept(scalar: Any, schema: dict[str, Any], *, ranged: bool) -> Any:
    """The type of a key whose values are swept: a list of distinct values once it is read, or a Range.

    `schema` is the JSON schema of one value; `ranged` says whether a range may stand for a list.
    """
    one = Annotated[scalar, AfterValidator(lambda value: [value])]
    forms: Any = Annotated[one, Tag(_ONE)] | Annotated[distinct(scalar), Tag(_LIST)]
    plain = {name: value for name, value in schema.items() if name not in ("description", "default")}
    offered: list[dict[str, Any]] = [plain, {"type": "array", "items": plain, "minItems": 1, "uniqueItems": True}]
    if ranged:
        ends = {name: (scalar, Field(description=f"{name}imum of the range")) for name in ("min", "max")}
        model = create_model("Range", __base__=Range, **ends)  # type: ignore[call-overload]
        forms |= Annotated[model, Tag(_RANGE)]
        offered.append(_range_schema(plain))
    about = {name: schema[name] for name in ("description", "default") if name in schema}
    return Annotated[forms, Discriminator(_form, **_NO_RANGE), WithJsonSchema({"anyOf": offered} | about)]


_NO_RANGE: dict[str, Any] = {
    "custom_error_type": "no_range",
    "custom_error_message": "is one value or a list of values; write a list instead of a range",
}


def _range_schema(plain: dict[str, Any]) -> dict[str, Any]:
    schema = Range.model_json_schema()
    schema["properties"] |= {"min": plain, "max": plain}
    for field in schema["properties"].values():
        field.pop("title", None)
    return {name: schema[name] for name in ("type", "properties", "required", "additionalProperties")}
