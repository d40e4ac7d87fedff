"""What a dataset file says about its rows before they are taken for any format: headings, labels, deleted text."""

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prefsweep.rows import RowProblem

BETWEEN = "rated between"
"""Why a row with a rating that is neither good nor bad is dropped."""


class Ratings(BaseModel):
    """Labels from numbers: `ratings:` of a dataset file. Rows rated between the two thresholds are dropped."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    column: str = Field(min_length=1, description="The file's heading; a dot leads into an object.")
    desirable_from: float = Field(description="Ratings from here on make an answer desirable.")
    undesirable_to: float = Field(description="Ratings up to here make an answer undesirable.")

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if self.undesirable_to >= self.desirable_from:
            raise ValueError("`undesirable_to` must be below `desirable_from`")
        return self

    def label(self, row: Mapping[str, Any]) -> bool:
        """Whether a row's answer is desirable. Raises RowProblem for no number, and for one between."""
        value = nested(row, self.column)
        if value is None:
            raise RowProblem("missing field", f"no rating in {self.column}")
        try:
            rating = float(value) if isinstance(value, str) else value
        except ValueError:
            rating = None
        if isinstance(rating, bool) or not isinstance(rating, int | float) or rating != rating:
            raise RowProblem("wrong type", f"{self.column} is {value!r}, not a number")
        if self.undesirable_to < rating < self.desirable_from:
            raise RowProblem(BETWEEN, f"{self.column} is {rating:g}")
        return rating >= self.desirable_from

    def __str__(self) -> str:
        return f"{self.column} from {self.desirable_from:g} is desirable, to {self.undesirable_to:g} undesirable"


class Adaptation:
    """A row as the formats know it, from a row with other headings, with ratings, or with text to delete."""

    def __init__(self, columns: Mapping[str, str], deleted: str, ratings: Ratings | None, typed: bool) -> None:
        self._columns = columns
        self._deleted = dict.fromkeys(map(ord, deleted))
        self._ratings = ratings
        self._typed = typed

    def __bool__(self) -> bool:
        """Whether it changes anything."""
        return bool(self._columns or self._deleted or self._ratings or not self._typed)

    def sketch(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row for telling its format: with any label, not yet with the right one."""
        named = self._named(row)
        return named | {"label": True} if self._ratings else named

    def apply(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row itself. Raises RowProblem where a rating gives no label."""
        named = self._named(row)
        if self._ratings:
            named = named | {"label": self._ratings.label(row)}
        elif not self._typed and isinstance(named.get("label"), str):
            named = named | {"label": {"true": True, "false": False}.get(named["label"].lower(), named["label"])}
        return self._without(named) if self._deleted else named

    def _named(self, row: dict[str, Any]) -> dict[str, Any]:
        if not self._columns:
            return row
        found = {ours: nested(row, theirs) for ours, theirs in self._columns.items()}
        return {ours: value for ours, value in found.items() if value is not None or self._columns[ours] in row}

    def _without(self, value: Any) -> Any:
        """A JSON value with the deleted characters removed from every text in it, keys excepted."""
        if isinstance(value, str):
            return value.translate(self._deleted)
        if isinstance(value, list):
            return [self._without(item) for item in value]
        if isinstance(value, dict):
            return {key: self._without(item) for key, item in value.items()}
        return value


def nested(row: Mapping[str, Any], name: str) -> Any:
    """A column by its heading, or by a way such as `ratings.upbeat`; None where there is none."""
    if name in row:
        return row[name]
    first, _, rest = name.partition(".")
    inner = row.get(first)
    return nested(inner, rest) if rest and isinstance(inner, dict) else None
