"""The A/A control of the timing: arms that cannot differ in speed must tie, or it is measurement error.

Merged LoRAs of one base have one shape, and all timed answers have one length, so no arm can be faster than another.
The control says how far apart they were measured all the same, before any speed is read as a property of an arm.
"""

from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Literal

from prefsweep.results import RunResults, StudyResults
from prefsweep.wording import count

TIE_LIMIT = 0.03
"""How much faster than the slowest arm the fastest may be, as a share of it; beyond, it is measurement error."""

ControlVerdict = Literal["passed", "measurement error", "no control"]


@dataclass(frozen=True)
class ArmSpeed:
    """One run's speed at a forced answer length, at one concurrency."""

    run: str
    name: str
    """The point's label and the seed."""
    output_tokens_per_second: float
    """Median over the repeats."""
    repeat_spread: float | None
    """(Fastest − slowest) / median of its repeats; None of a single one."""


@dataclass(frozen=True)
class SpeedControl:
    """Every finished arm's speed at one concurrency, slowest first."""

    concurrency: int
    arms: tuple[ArmSpeed, ...]

    @property
    def spread(self) -> float | None:
        """How much faster the fastest arm is than the slowest, as a share; None of fewer than two arms."""
        if len(self.arms) < 2:
            return None
        return self.arms[-1].output_tokens_per_second / self.arms[0].output_tokens_per_second - 1

    @property
    def repeat_spread(self) -> float | None:
        """How far apart the repeats of one arm are: the median arm. None without repeats."""
        known = [arm.repeat_spread for arm in self.arms if arm.repeat_spread is not None]
        return median(known) if known else None

    @property
    def verdict(self) -> ControlVerdict:
        """Whether speeds may be compared at all."""
        if self.spread is None:
            return "no control"
        return "measurement error" if self.spread > TIE_LIMIT else "passed"

    @property
    def failed(self) -> bool:
        return self.verdict == "measurement error"

    @property
    def reason(self) -> str:
        """The verdict in one sentence or two, with its numbers."""
        where = f"Speed with {count(self.concurrency, 'request')} at a time"
        if self.spread is None:
            return f"{where}: no control, because it takes two finished arms."
        slow, fast = self.arms[0], self.arms[-1]
        apart = f"the fastest of {len(self.arms)} arms is {_percent(self.spread)} faster than the slowest"
        if not self.failed:
            return f"{where}: {apart}. Arms of one shape must tie within {_percent(TIE_LIMIT)}, and do.{self._repeats}"
        return (
            f"{where}: measurement error, no comparison. Arms of one shape must tie within {_percent(TIE_LIMIT)}, but "
            f"{apart} ({fast.name}: {fast.output_tokens_per_second:.1f} tokens/s, {slow.name}: "
            f"{slow.output_tokens_per_second:.1f}).{self._repeats}{self._remedy}"
        )

    @property
    def note(self) -> str:
        """What to know of speeds in a table whose control did not pass; empty if it did or nothing was timed."""
        if not self.arms or self.verdict == "passed":
            return ""
        if self.spread is None:
            return "No control of speed: it takes two finished arms."
        return f"Measurement error: speeds that must tie are {_percent(self.spread)} apart, so none is compared."

    @property
    def _repeats(self) -> str:
        known = self.repeat_spread
        return "" if known is None else f" Repeats of the median arm are {_percent(known)} apart."

    @property
    def _remedy(self) -> str:
        if self.repeat_spread is None:
            return " With one pass per arm its own variation is unknown: raise generate.repeats."
        if self.repeat_spread > TIE_LIMIT:
            return " One arm varies as much by itself: the machine was not quiet, or raise generate.timed_requests."
        return " Each arm was steady, so their circumstances differed: another machine, clock rate or load."

    @cached_property
    def by_run(self) -> dict[str, ArmSpeed]:
        return {arm.run: arm for arm in self.arms}

    @cached_property
    def typical(self) -> float:
        """Output tokens per second of the median arm."""
        return median(arm.output_tokens_per_second for arm in self.arms)


def speed_controls(study: StudyResults) -> dict[int, SpeedControl]:
    """The control at each concurrency of the study, over all finished runs that were timed."""
    finished = study.with_status("finished")
    return {
        concurrency: SpeedControl(
            concurrency,
            tuple(
                sorted(
                    (arm for run in finished if (arm := _arm_speed(run, concurrency))),
                    key=lambda arm: (arm.output_tokens_per_second, arm.run),
                )
            ),
        )
        for concurrency in sorted(set(study.plan.generate.concurrency))
    }


def _arm_speed(run: RunResults, concurrency: int) -> ArmSpeed | None:
    speeds = [timed.output_tokens_per_second for timed in run.passes(concurrency)]
    if not speeds:
        return None
    middle = median(speeds)
    spread = (max(speeds) - min(speeds)) / middle if len(speeds) > 1 else None
    return ArmSpeed(run.run.id, f"{run.point.label}, seed {run.run.seed}", middle, spread)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share != TIE_LIMIT else f"{100 * share:.0f} %"
