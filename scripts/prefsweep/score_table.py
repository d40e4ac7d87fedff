"""One run's scores as an array. A large study has millions of them; as records they would take ten times the room."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import fmean

import numpy as np

from prefsweep.records.data import Half, Part
from prefsweep.records.score import Scores
from prefsweep.statistics import Array


@dataclass(frozen=True, eq=False)
class ScoreTable:
    """What `scores.json` holds, prompts in its order."""

    run: str
    prompts: tuple[str, ...]
    clusters: tuple[str, ...]
    parts: tuple[Part, ...]
    halves: tuple[Half | None, ...]
    metrics: tuple[str, ...]
    """Those that any prompt has, in the order in which they first occur."""
    values: Array
    """Shape (metrics, prompts), NaN where a prompt lacks a metric."""
    _masks: dict[Half | None, Array] = field(default_factory=dict, init=False, repr=False)
    """Half → its held-out prompts, found once for all metrics."""

    @classmethod
    def of(cls, scores: Scores) -> "ScoreTable":
        """The table of a run's records."""
        rows = scores.prompts
        metrics = tuple(dict.fromkeys(name for row in rows for name in row.metrics))
        values = [[row.metrics.get(name, math.nan) for row in rows] for name in metrics]
        return cls(
            run=scores.run,
            prompts=tuple(row.prompt for row in rows),
            clusters=tuple(row.cluster for row in rows),
            parts=tuple(row.part for row in rows),
            halves=tuple(row.half for row in rows),
            metrics=metrics,
            values=np.array(values, dtype=float).reshape(len(metrics), len(rows)),
        )

    def with_metrics(self, added: Mapping[str, Array]) -> "ScoreTable":
        """The table with further metrics: name → values, shape (prompts,), NaN where a prompt lacks it."""
        return replace(self, metrics=(*self.metrics, *added), values=np.vstack([self.values, *added.values()]))

    def by_prompt(self) -> dict[str, dict[str, float]]:
        """Prompt → metric → value, without metrics that the prompt lacks."""
        return {
            prompt: {name: value for name, value in zip(self.metrics, column, strict=True) if not math.isnan(value)}
            for prompt, column in zip(self.prompts, self.values.T.tolist(), strict=True)
        }

    def mean(self, metric: str, half: Half | None = None) -> float | None:
        """Mean of a metric over the held-out prompts that have it; both halves unless one is named."""
        if metric not in self.metrics:
            return None
        values = self.values[self.metrics.index(metric)][self._heldout(half)]
        finite = values[np.isfinite(values)].tolist()
        return fmean(finite) if finite else None

    def _heldout(self, half: Half | None) -> Array:
        """Which prompts are held out and in this half, or in any: shape (prompts,)."""
        if half not in self._masks:
            pairs = zip(self.parts, self.halves, strict=True)
            self._masks[half] = np.array([part == "heldout" and half in (None, own) for part, own in pairs], dtype=bool)
        return self._masks[half]
