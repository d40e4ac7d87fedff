"""How jobs of one study share the CPU: a core each, for cores help each other less than jobs that wait for none.

On two cores two trainings of one thread take less time than one of two after the other. Only where memory does not
hold so many, or there are not so many, does each get more.
"""

from dataclasses import dataclass
from pathlib import Path

from prefsweep import first_guess
from prefsweep.memory import installed_bytes
from prefsweep.methods import Method
from prefsweep.model_size import size_of
from prefsweep.plan import BASE, Plan
from prefsweep.records.base import read_document
from prefsweep.swift_settings import rows_per_forward_pass

_SHARE_OF_MEMORY = 0.8
"""What jobs may fill of it together, by a first guess of what each takes."""


@dataclass(frozen=True)
class Share:
    """One job's."""

    threads: int
    jobs: int | None
    """That compute at the same time, at most; None where nothing limits them."""

    @classmethod
    def of(cls, cores: int, jobs: int, job_bytes: float, processes: int = 1) -> "Share":
        """`jobs` is how many of its kind the study has; each takes `job_bytes` of memory and a core per process."""
        fit = int(_SHARE_OF_MEMORY * installed_bytes() // job_bytes)
        at_once = max(1, min(cores // processes, jobs, fit))
        return cls(cores // at_once, at_once)


def training_share(plan: Plan, run: str, method: Method, data: Path, root: Path, cores: int) -> Share:
    """Of a training: it depends on the study and the machine alone, so that the same run has the same threads again."""
    settings = plan.point_of(run).settings
    rows = rows_per_forward_pass(method, settings) * (1 if method.data == "labelled" else 2)
    longest = int(read_document(data / "data.json")["row_tokens"]["longest"])
    tokens = rows * min(longest, int(settings["max_length"]))
    size = size_of(plan.model.folder(root))
    processes = int(settings["gpus"])
    needed = processes * first_guess.train_bytes(size, settings, tokens) if size else installed_bytes()
    return Share.of(cores, _trained_runs(plan), needed, processes)


def drift_share(plan: Plan, root: Path, cores: int) -> Share:
    """The same of a comparison of a run's model with the base."""
    size = size_of(plan.model.folder(root))
    return Share.of(cores, _trained_runs(plan), first_guess.drift_bytes(size) if size else installed_bytes())


def _trained_runs(plan: Plan) -> int:
    return sum(plan.point_of(run.id).method != BASE for run in plan.runs)
