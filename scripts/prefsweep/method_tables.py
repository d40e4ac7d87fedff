"""The catalogue of methods as tables for docs/methods.md."""

from collections.abc import Mapping

from prefsweep.methods import Knob, Method
from prefsweep.written_tables import table


def method_tables(methods: Mapping[str, Method]) -> str:
    """Objectives with their defaults, remarks, knobs, learning rates."""
    parts = [
        "## Objectives\n",
        table(
            ("method", "minimised, with the defaults", "reference", "data", "first loss", "paper"),
            ((f"`{name}`", *_objective(method)) for name, method in methods.items()),
        ),
        *(f"- `{name}`: {_line(method.remark)}" for name, method in methods.items() if method.remark),
        "\n## Knobs\n",
        table(
            ("method", "knob", "meaning", "default", "allowed", "published", "source"),
            (
                (f"`{name}`", f"`{knob}` ({spec.symbol})", *_knob(spec))
                for name, method in methods.items()
                for knob, spec in method.knobs.items()
            ),
        ),
        "## Learning rates of a LoRA\n",
        table(
            ("method", "default", "range", "source"),
            ((f"`{name}`", *_rate(method)) for name, method in methods.items()),
        ),
    ]
    return "\n".join(parts)


def _objective(method: Method) -> tuple[str, ...]:
    defaults = {knob: spec.default for knob, spec in method.knobs.items()}
    first = method.expected_first_loss(defaults)
    formula = str(method.first_loss).strip("{}")
    return (
        _line(method.filled_objective(defaults)),
        "yes" if method.reference else "no",
        method.data,
        "of the data" if first is None else f"{first:.6g}" + f" = `{formula}`" * isinstance(method.first_loss, str),
        f"{method.title}. {method.paper}",
    )


def _knob(knob: Knob) -> tuple[str, ...]:
    low = f"> {knob.above:g}" if knob.above is not None else f"≥ {knob.at_least:g}"
    high = f"< {knob.below:g}" if knob.below is not None else f"≤ {knob.at_most:g}"
    published = "{:g}–{:g}".format(*knob.published) if knob.published else ""
    return knob.meaning, f"{knob.default:g}", f"{low}, {high}", published, knob.source


def _rate(method: Method) -> tuple[str, ...]:
    rate = method.learning_rate
    return f"{rate.default:g}", "{:g}–{:g}".format(*rate.published), _line(rate.source)


def _line(text: str) -> str:
    return " ".join(text.split())
