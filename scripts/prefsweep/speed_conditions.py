"""What answers were timed under: other load on the machine, the client's own share, the server's settings."""

from collections.abc import Callable, Iterator
from statistics import median

from prefsweep.plan import BASE
from prefsweep.records.measure import Throughput, TimedPass
from prefsweep.results import StudyResults
from prefsweep.wording import count

OTHER_CPU_LIMIT = 0.10
"""Of the cores' time, what other processes may take before a speed is called disturbed: an idle desktop takes 2–5 %."""
CLIENT_LIMIT = 0.05
"""Of a pass's wall time, what the client may take before it is part of what is measured."""
_OF_A_RUN = {"--served-model-name", "--port", "--seed"}
"""Options that differ from run to run by design."""


def client_share(passes: list[TimedPass]) -> float | None:
    """At most so much of these passes' wall time was the client's own: the median pass. None without passes."""
    return median(timed.client_seconds / timed.wall_seconds for timed in passes) if passes else None


def other_cpu_share(passes: list[TimedPass]) -> float | None:
    """The largest share of the cores' time that others took in one of these passes; None where it is not known."""
    return max((timed.other_cpu_share for timed in passes if timed.other_cpu_share is not None), default=None)


def disturbances(study: StudyResults) -> list[str]:
    """A sentence for each kind of disturbance that was above its limit in some finished run."""
    return [sentence for sentence, disturbed in conditions(study) if disturbed]


def conditions(study: StudyResults) -> list[tuple[str, bool]]:
    """A sentence for each kind of disturbance, and whether it was above its limit in some finished run."""
    others = _highest(study, other_cpu_share)
    client = _highest(study, client_share)
    said = []
    if others:
        text = "Other processes took at most {share} of the processor while answers were timed ({run})"
        said.append(_condition(text, others, OTHER_CPU_LIMIT, "these speeds are too low"))
    if client:
        text = "The timing client's own work is at most {share} of a pass ({run})"
        said.append(_condition(text, client, CLIENT_LIMIT, "part of these times is not the server's"))
    return said


_Shares = list[tuple[float, str]]


def _highest(study: StudyResults, share: Callable[[list[TimedPass]], float | None]) -> _Shares:
    """Each finished run's highest share over the concurrencies, with the run's name; highest first."""
    found = []
    for run in study.with_status("finished"):
        shares = [share(run.passes(concurrency)) for concurrency in set(study.plan.generate.concurrency)]
        if known := [one for one in shares if one is not None]:
            found.append((max(known), f"{run.point.label}, seed {run.run.seed}"))
    return sorted(found, reverse=True)


def _condition(text: str, shares: _Shares, limit: float, consequence: str) -> tuple[str, bool]:
    (highest, run), above = shares[0], sum(share > limit for share, _ in shares)
    sentence = text.format(share=f"{100 * highest:.1f} %", run=run)
    if not above:
        return f"{sentence}.", False
    return f"{sentence}: in {count(above, 'run')} more than {100 * limit:.0f} %, and {consequence}.", True


def server_facts(study: StudyResults) -> list[tuple[str, str]]:
    """The servers' options, environment, hardware and engine; where runs differ, every value is there, base's first."""
    runs = sorted(study.with_status("finished"), key=lambda run: run.point.method != BASE)
    found: dict[str, dict[str, None]] = {}
    for record in (run.throughput for run in runs if run.throughput):
        for name, value in _settings(record):
            found.setdefault(name, {})[value] = None
    return [(name, "  —  or, in other runs:  ".join(values)) for name, values in found.items()]


def _settings(record: Throughput) -> Iterator[tuple[str, str]]:
    yield from ((name, value) for name, value in _options(record.server_argv) if name not in _OF_A_RUN)
    yield from record.server_environment.items()
    yield from ((name.replace("_", " "), value) for name, value in record.hardware.items())
    yield from ((name, value) for name, value in record.versions.items() if name.startswith("vllm"))


def _options(argv: list[str]) -> Iterator[tuple[str, str]]:
    for name, following in zip(argv, [*argv[1:], "--"], strict=True):
        if name.startswith("--"):
            yield name, "on" if following.startswith("--") else following
