"""One colour and one symbol per method, everywhere; the base is grey.

The colours keep 3:1 contrast on the light page (and, lightened, on the dark one); those of the five methods stay apart
under the common colour-vision deficiencies. Variants are too many for that: no two share both colour and symbol.
"""

from collections.abc import Iterable

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
    "#d1495b": "#f07a8a",
    "#5b6cc2": "#8d9bef",
    "#3d8a3d": "#62b562",
    "#8c6d62": "#bb998d",
    "#2b8ca3": "#55b7cf",
    "#7a7a1f": "#b0b04a",
    "#7d4bc4": "#b48cf0",
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
_VARIANTS = (
    *("ipo", "hinge", "slic", "cdpo", "robust_dpo", "rpo", "cpo_simpo", "aot", "aot_unpaired", "exo_pair", "nca_pair"),
    *("bco_pair", "sppo_hard", "apo_zero", "apo_down", "apo_zero_unpaired", "discopop", "mpo"),
)
"""In an order that stays, so that a variant looks the same in every study; other methods come after them."""
_VARIANT_COLOURS = ("#d1495b", "#5b6cc2", "#3d8a3d", "#8c6d62", "#2b8ca3", "#7a7a1f", "#7d4bc4")
_VARIANT_SHAPES = (
    "M-.5,-.87H.5L1,0L.5,.87H-.5L-1,0Z",
    "M-1,-.6L-.6,-1L0,-.4L.6,-1L1,-.6L.4,0L1,.6L.6,1L0,.4L-.6,1L-1,.6L-.4,0Z",
    "M-1,-.4H1V.4H-1Z",
    "M0,-1L.25,-.31L.95,-.31L.38,.12L.59,.81L0,.38L-.59,.81L-.38,.12L-.95,-.31L-.25,-.31Z",
    "M-1,0L.75,-1V1Z",
    "M-.9,-.9H.9L.2,0L.9,.9H-.9L-.2,0Z",
    "M1,0L-.75,-1V1Z",
    "M0,-1L.95,-.31L.59,.81H-.59L-.95,-.31Z",
    "M-.4,-1H.4V1H-.4Z",
)
"""Seven colours and nine symbols have no common factor: going round in both, a pair returns after 63."""


def method_colours(methods: Iterable[str]) -> dict[str, str]:
    """A colour per method, the base included."""
    return _assigned(methods, _COLOURS, _VARIANT_COLOURS)


def on_dark(colour: str) -> str:
    """The lighter form of a method's colour for the dark page, which the page's CSS puts in its place."""
    return _ON_DARK[colour]


def method_shapes(methods: Iterable[str]) -> dict[str, str]:
    """A symbol per method as an SVG path, so that colour is never the only difference."""
    return _assigned(methods, _SHAPES, _VARIANT_SHAPES)


def _assigned(methods: Iterable[str], own: dict[str, str], shared: tuple[str, ...]) -> dict[str, str]:
    names = list(dict.fromkeys(methods))
    others = [*_VARIANTS, *(name for name in names if name not in own and name not in _VARIANTS)]
    return {name: own[name] if name in own else shared[others.index(name) % len(shared)] for name in names}
