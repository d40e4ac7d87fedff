"""The catalogue as tables for docs/methods.md, so that the page says what the files say."""

from collections.abc import Iterable, Mapping

from prefsweep.methods import Knob, Method

BEGIN, END = "<!-- written by scripts/catalogue.py -->", "<!-- the rest is written by hand -->"


def with_tables(page: str, methods: Mapping[str, Method]) -> str:
    """The page with the tables of these methods between its two marks. Raises ValueError when it has no marks."""
    before, found, rest = page.partition(BEGIN)
    _, ended, after = rest.partition(END)
    if not (found and ended):
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{method_tables(methods)}\n{END}{after}"


def method_tables(methods: Mapping[str, Method]) -> str:
    """Objectives with their defaults, remarks, knobs, learning rates."""
    parts = [
        "## Objectives\n",
        _table(
            ("method", "minimised, with the defaults", "reference", "data", "first loss", "paper"),
            ((f"`{name}`", *_objective(method)) for name, method in methods.items()),
        ),
        *(f"- `{name}`: {_line(method.remark)}" for name, method in methods.items() if method.remark),
        "\n## Knobs\n",
        _table(
            ("method", "knob", "meaning", "default", "allowed", "published", "source"),
            (
                (f"`{name}`", f"`{knob}` ({spec.symbol})", *_knob(spec))
                for name, method in methods.items()
                for knob, spec in method.knobs.items()
            ),
        ),
        "## Learning rates of a LoRA\n",
        _table(
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


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
