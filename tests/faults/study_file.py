"""A study file in which every key there is has a valid value on a line of its own, and ways to spoil one of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from prefsweep.methods import Method
from prefsweep.settings import GenerateConfig, JudgeConfig, TrainSettings
from prefsweep.yaml_file import Location

_OPTIONAL = {
    "micro_batch_size": "4",
    "deepspeed": "zero2",
    "eval_steps": "50",
    "save_steps": "50",
    "slo": "{ttft_seconds: 0.5}",
}
"""Values of keys that are unset by default."""
_JUDGE = {
    "url": "http://127.0.0.1:8000/v1", "model": "some-judge", "api_key_env": "JUDGE_KEY", "prompts": "100",
    "max_requests": "1000", "max_cost": "5.0", "price": "{input: 1.0, output: 2.0}",
}  # fmt: skip
"""The same of a judge."""


@dataclass(frozen=True)
class Line:
    """`key: value` at its depth; a section has no value."""

    location: Location
    value: str | None

    def text(self, key: str | None = None, value: str | None = None) -> str:
        shown = self.value if value is None else value
        return f"{'  ' * (len(self.location) - 1)}{key or self.location[-1]}: {shown or ''}".rstrip()


def full_study(methods: dict[str, Method]) -> list[Line]:
    """Every key of a study but those that only contradict others, such as `paired`."""
    first = next(iter(methods))
    lines = [
        Line(("study",), "full"),
        Line(("model",), "some-model"),
        Line(("dataset",), "some-data"),
        Line(("seeds",), "[0, 1]"),
        Line(("primary_metric",), "preference_accuracy"),
        Line(("smallest_effect",), "0.01"),
        Line(("wants",), "[emoji]"),
        Line(("device",), "cpu"),
        Line(("max_runs",), "500"),
        Line(("methods",), None),
    ]
    for name, method in methods.items():
        lines.append(Line(("methods", name), None))
        lines += [Line(("methods", name, knob), str(spec.default)) for knob, spec in method.knobs.items()]
        lines.append(Line(("methods", name, "learning_rate"), "[1.0e-5, 2.0e-5]"))
    lines.append(Line(("train",), None))
    lines += list(_section("train", TrainSettings))
    lines += [Line(("train", "jobs_per_gpu"), "1"), Line(("generate",), None), *_section("generate", GenerateConfig)]
    lines += [Line(("evaluate",), None), Line(("evaluate", "tasks"), "[preference-accuracy]")]
    lines.append(Line(("evaluate", "judge"), None))
    judge = {name: _JUDGE.get(name, field.default) for name, field in JudgeConfig.model_fields.items()}
    lines += [Line(("evaluate", "judge", key), str(value)) for key, value in judge.items() if value is not None]
    lines += [Line(("evaluate", "reward_model"), None), Line(("evaluate", "reward_model", "path"), "rewarder")]
    lines.append(Line(("evaluate", "reward_model", "precision"), "bfloat16"))
    lines += [Line(("search",), None), Line(("search", "random"), "3"), Line(("search", "seed"), "0")]
    lines += [Line(("search", "halving"), None), Line(("search", "halving", "start"), "0.25")]
    lines += [Line(("search", "halving", "keep"), "0.5"), Line(("search", "halving", "rungs"), "2")]
    lines += [Line(("search", "halving", "within"), "method")]
    lines += [Line(("cost",), "{per_hour: 2.0}")]
    return [*lines, Line(("exclude",), f"[{{method: {first}, learning_rate: 1.0e-5}}]")]


def _section(name: str, model: Any) -> Iterator[Line]:
    for key, field in model.model_fields.items():
        default = field.default
        value = str(default).lower() if isinstance(default, bool) else str(default)
        yield Line((name, key), _OPTIONAL.get(key, "x") if default is None else value)


def written(lines: list[Line], changed: int | None = None, text: str = "") -> str:
    """The file, with other text in the place of one line."""
    return "".join(f"{text if index == changed else line.text()}\n" for index, line in enumerate(lines))
