"""One colour and one symbol per method, everywhere; the base is grey.

The colours keep 3:1 contrast on the light page (and, lightened, on the dark one) and stay apart under the
common colour-vision deficiencies; the symbols differ as well, so colour is never the only difference.
"""

from collections.abc import Iterable, Sequence

from prefsweep.plan import BASE

_COLOURS = {
    BASE: "#8e95a0",
    "dpo": "#317bee",
    "orpo": "#9a5225",
    "simpo": "#17735a",
    "kto": "#af32a1",
    "cpo": "#b28508",
}
_ON_DARK = {
    "#8e95a0": "#9aa2ad",
    "#317bee": "#5a9bff",
    "#9a5225": "#c9703a",
    "#17735a": "#27a07d",
    "#af32a1": "#e07ad6",
    "#b28508": "#e8c75a",
}
_SHAPES = {
    BASE: "M-.8,-.8H.8V.8H-.8Z",
    "dpo": "M-.9,0A.9,.9,0,1,1,.9,0A.9,.9,0,1,1,-.9,0Z",
    "orpo": "M0,-1L1,.75H-1Z",
    "simpo": "M0,-1L.95,0L0,1L-.95,0Z",
    "kto": "M-.36,-1H.36V-.36H1V.36H.36V1H-.36V.36H-1V-.36H-.36Z",
    "cpo": "M0,1L1,-.75H-1Z",
}
"""SVG paths in the square from −1 to 1, as Vega takes them, so that tables and charts show the same marks."""
_OTHER_COLOURS = ("#d1495b", "#5b6cc2", "#3d8a3d", "#8c6d62", "#2b8ca3")
_OTHER_SHAPE = "M-1,-.4H1V.4H-1Z"


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour per method, the base included. A method without one of its own gets the next spare one."""
    return _assigned(methods, _COLOURS, _OTHER_COLOURS)


def on_dark(colour: str) -> str:
    """The lighter form of a method's colour for the dark page, which the page's CSS puts in its place."""
    return _ON_DARK.get(colour, colour)


def method_shapes(methods: Iterable[str]) -> dict[str, str]:
    """A symbol per method as an SVG path, so that colour is never the only difference."""
    return _assigned(methods, _SHAPES, (_OTHER_SHAPE,))


def _assigned(methods: Iterable[str], own: dict[str, str], spare: Sequence[str]) -> dict[str, str]:
    names = list(dict.fromkeys(methods))
    others = [name for name in names if name not in own]
    return {name: own[name] if name in own else spare[others.index(name) % len(spare)] for name in names}
