"""What runs will cost, learnt from finished runs of the same model on this machine; unknown before there is one."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Self

from prefsweep.screening import left_empty


@dataclass(frozen=True)
class Pace:
    """Seconds per optimiser step of each method, and of everything around the steps."""

    step_seconds: dict[str, float] = field(default_factory=dict)
    overhead_seconds: dict[str, float] = field(default_factory=dict)
    base_seconds: float | None = None

    @classmethod
    def learnt(cls, results: Path, model: str) -> Self:
        """Medians over every finished run below `results` whose base model has this name."""
        steps: dict[str, list[float]] = defaultdict(list)
        overhead: dict[str, list[float]] = defaultdict(list)
        for record in sorted(results.glob("*/runs/*/seed-*/throughput.json")):
            directory, method = record.parent, record.parent.parent.name.partition("-")[0]
            if left_empty(record):
                continue
            if json.loads((directory / "run.json").read_text())["model"]["name"] != model:
                continue
            served = json.loads(record.read_text())["total_seconds"]
            merged = json.loads((directory / "merge.json").read_text())["total_seconds"]
            around = 0.0
            if (directory / "train.json").exists():
                trained = json.loads((directory / "train.json").read_text())
                steps[method].append(trained["train_seconds"] / trained["steps"])
                around = trained["total_seconds"] - trained["train_seconds"]
            overhead[method].append(served + merged + around)
        medians = {method: median(values) for method, values in overhead.items()}
        return cls({method: median(values) for method, values in steps.items()}, medians, medians.pop("base", None))

    def seconds(self, method: str, steps: int) -> float | None:
        """Wall seconds of one run from training to scores; None for a method that has not run yet."""
        if method not in self.step_seconds:
            return None
        return self.step_seconds[method] * steps + self.overhead_seconds[method]


def disk_bytes(model: Path) -> int | None:
    """Bytes a run keeps, which its merged model dominates; None while the base model has not been fetched."""
    if not model.is_dir():
        return None
    return sum(path.stat().st_size for path in model.glob("*") if path.is_file())
