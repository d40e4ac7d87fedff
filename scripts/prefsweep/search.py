"""How a study finds its points among all its lists and ranges allow, and which of them are trained to the end."""

from typing import Literal, Self

from pydantic import Field, model_validator

from prefsweep.settings import Strict


class Halving(Strict):
    """Successive halving (Jamieson & Talwalkar 2016, arXiv:1502.07943): screen all points, confirm the best.

    Every point trains a share of its steps under the full run's learning-rate schedule; the best of them by the
    primary metric on the development half continue from their checkpoints; those that are left get every seed.
    """

    start: float = Field(0.25, strict=True, gt=0, lt=1, description="Share of the steps that every point is trained.")
    keep: float = Field(0.5, strict=True, gt=0, lt=1, description="Share of the points that a rung keeps, rounded up.")
    rungs: int = Field(2, strict=True, ge=1, le=8, description="How often points are compared and stopped.")
    within: Literal["method", "study"] = Field(
        "method", description="Whether points are compared with those of their own method, or all with all."
    )

    @property
    def shares(self) -> list[float]:
        """Of the steps, up to each rung."""
        return [self.start / self.keep**rung for rung in range(self.rungs)]

    @model_validator(mode="after")
    def _rungs_before_the_end(self) -> Self:
        if self.shares[-1] >= 1:
            raise ValueError(
                f"rung {self.rungs} would be at {self.shares[-1]:.3g} of the steps (start / keep^{self.rungs - 1}), "
                "which is no screening; lower start or rungs, or raise keep"
            )
        return self


class Search(Strict):
    """Which points of the space are tried, and how far; `search: grid` tries every combination to its end."""

    random: int | None = Field(
        None, strict=True, ge=1, description="Points drawn for each method; unset: every combination."
    )
    seed: int = Field(0, strict=True, ge=0, description="Of the draws.")
    halving: Halving | None = Field(None, description="Stop what is behind early.")


def as_search(search: Literal["grid"] | Search) -> Search:
    """What `search` means when it is a name."""
    return search if isinstance(search, Search) else Search()


def halving_of(search: Literal["grid"] | Search) -> Halving | None:
    """How points are stopped early, if they are."""
    return None if search == "grid" else search.halving
