"""The page's figures as files of their own, for slides and papers: SVG, and PNG at twice the size."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

import vl_convert

from prefsweep.charts import WIDTH, Figure
from prefsweep.files import published_directory
from prefsweep.rendering import inert, svg

_SCALE = 2.0
_LOWEST = 160
_LINE = 52
"""Letters of a title that fit over the narrowest figure."""


def write_figures(panels: Any, directory: Path) -> None:
    """Write every figure that is drawn in the page's panels, named by its id, and nothing else, into a folder."""
    with published_directory(directory) as folder:
        for figure in _drawn(panels):
            picture = svg(standalone(figure), figure.id)
            (folder / f"{figure.id}.svg").write_text(picture, "utf-8")
            (folder / f"{figure.id}.png").write_bytes(vl_convert.svg_to_png(picture, scale=_SCALE))


def remove_figures(directory: Path) -> None:
    """Leave none of an earlier report."""
    shutil.rmtree(directory, ignore_errors=True)


def standalone(figure: Figure) -> dict[str, Any]:
    """A figure's specification with the title and ground that the page gives it otherwise, and room for both."""
    spec = {key: value for key, value in inert(figure.spec).items() if key != "$schema"}
    title = {
        "text": wrap(inert(figure.alone or figure.title), _LINE),
        "subtitle": wrap(inert(figure.note), _LINE),
        "anchor": "start",
        "offset": 12,
        "fontSize": 12,
        "subtitleFontSize": 11,
    }
    size = {"width": max(spec["width"], WIDTH), "height": max(spec["height"], _LOWEST)}
    return spec | size | {"title": title, "config": spec["config"] | {"background": "white"}, "padding": 8}


def _drawn(panels: Any) -> Iterator[Figure]:
    """The figures of drawn panels, however they are nested."""
    if isinstance(panels, dict) and isinstance(panels.get("figure"), Figure):
        yield panels["figure"]
    elif isinstance(panels, dict | list | tuple):
        for part in panels.values() if isinstance(panels, dict) else panels:
            yield from _drawn(part)
