"""The learning rate a study asks for at each step, in closed form.

It is written out here, rather than taken from the engine, so that what the engine really did can be held against it.
"""

import math
from collections.abc import Mapping
from typing import Any


def asked_learning_rate(settings: Mapping[str, Any], step: int, steps: int) -> float:
    """The rate of optimiser step `step`, counted from 1, of `steps`.

    It rises linearly from 0 over the first ⌈warmup_ratio · steps⌉ steps, then stays, falls linearly, or falls as half a
    cosine, to reach 0 after the last step: the schedules of the same names in Hugging Face transformers.
    """
    peak: float = settings["learning_rate"]
    warm_up, done = math.ceil(float(settings["warmup_ratio"]) * steps), step - 1
    if done < warm_up:
        return peak * done / warm_up
    progress = (done - warm_up) / max(1, steps - warm_up)
    shapes = {"constant": 1.0, "linear": 1 - progress, "cosine": (1 + math.cos(math.pi * progress)) / 2}
    return peak * shapes[settings["scheduler"]]
