"""What no key of a study shows alone: keys given twice, ranges nobody draws from, exclusions of nothing."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import chain
from typing import Any

from pydantic import BaseModel

from prefsweep.methods import Method
from prefsweep.search import Search
from prefsweep.settings import METHOD, PAIRED
from prefsweep.space import ENUMERABLE, Space, space_of, written_keys
from prefsweep.swept import Range
from prefsweep.wording import joined
from prefsweep.yaml_file import Location

Found = tuple[Location, str]
"""Where a contradiction is written, and what it is and what to do, after a semicolon."""

_DRAW = "shorten its lists, or draw from them with `search: {random: 20}`"


def contradictions(
    methods: Mapping[str, Method],
    chosen: Mapping[str, BaseModel],
    train: BaseModel,
    search: Search,
    excluded: Sequence[BaseModel],
) -> list[Found]:
    """Everything in a study's sections that does not go together; `chosen` are its methods' own sections."""
    if not chosen:
        return [(("methods",), f"is empty; choose from {', '.join(methods)}")]
    sections: dict[Location, BaseModel] = {("train",): train}
    sections |= {("methods", name): section for name, section in chosen.items()}
    found = list(chain.from_iterable(_of_section(place, section, search) for place, section in sections.items()))
    for name, section in chosen.items():
        found += _of_broken_pairs(("methods", name), section, train)
    if found:
        return found
    spaces = [space_of(methods[name], train, section, excluded, {}) for name, section in chosen.items()]
    return [*_of_size(spaces, search), *_of_exclusions(spaces, excluded)]


def _of_section(place: Location, section: BaseModel, search: Search) -> Iterator[Found]:
    paired = getattr(section, PAIRED)
    keys = _keys(paired[0]) if paired else set()
    for number, entry in enumerate(paired):
        if _keys(entry) != keys or len(keys) < 2:
            what = "needs the same keys in every entry, two at least"
            yield (*place, PAIRED, number), f"{what}; it has {joined(sorted(_keys(entry))) or 'none'}"
    for key in written_keys(section):
        values = getattr(section, key)
        if key in keys:
            yield (*place, key), f"is in {PAIRED}, too; keep one of them"
        if isinstance(values, Range) and values.num is None and search.random is None:
            remedy = "add `num:` for so many grid points, or `search: {random: 20}`, which draws from the range"
            yield (*place, key), f"a range alone names no points of a grid; {remedy}"


def _of_broken_pairs(place: Location, section: BaseModel, train: BaseModel) -> Iterator[Found]:
    """What a method overrides of the pairs of `train` it must override whole, or the rest would fall to defaults."""
    pairs = getattr(train, PAIRED)
    shared = _keys(pairs[0]) if pairs else set()
    own = getattr(section, PAIRED)
    given = set(written_keys(section)) | (_keys(own[0]) if own else set())
    if given & shared and not shared <= given:
        written = min(key for key in given & shared)
        at = (*place, written) if written in section.model_fields_set else (*place, PAIRED)
        rest = joined(sorted(shared - given))
        yield at, f"overrides one of train.{PAIRED}'s keys but not {rest}; give the method values for all of them"


def _of_size(spaces: Sequence[Space], search: Search) -> Iterator[Found]:
    for space in spaces:
        if search.random is None and space.size > ENUMERABLE:
            what = f"a grid of {space.size:,.0f} combinations is more than can be listed"
            yield (
                ("methods", space.method),
                f"{what}; shorten its lists, or draw from them with `search: {{random: 20}}`",
            )


def _of_exclusions(spaces: Sequence[Space], excluded: Sequence[BaseModel]) -> Iterator[Found]:
    for number, entry in enumerate(excluded):
        wanted = entry.model_dump(exclude_unset=True)
        if not wanted:
            yield ("exclude", number), "is empty and would leave out everything; name a method or a value"
        elif not any(space.has(wanted) for space in spaces):
            yield ("exclude", number), _why_nothing(spaces, wanted)
    for space in spaces:
        if excluded and not space.points(Search(random=1)):
            yield ("exclude",), f"leaves {space.method} no point; remove it from methods instead"


def _why_nothing(spaces: Sequence[Space], wanted: dict[str, Any]) -> str:
    """Each key that no method has with that value, and which values there are."""
    named = [space for space in spaces if wanted.get(METHOD, space.method) == space.method]
    if not named:
        return f"no point has method {wanted[METHOD]}; the study's methods are {joined([s.method for s in spaces])}"
    for key, value in wanted.items():
        axes = [axis for space in named for axis in space.axes if key in axis.keys]
        if key == METHOD or any(axis.offers({key: value}) for axis in axes):
            continue
        if any(axis.range for axis in axes):
            return f"{key} is drawn from a range, of which one value cannot be left out; narrow the range"
        there = list(dict.fromkeys(str(option[key]) for axis in axes for option in axis.options))
        close = get_close_matches(str(value), there, n=1, cutoff=0.5)
        hint = f"did you mean {close[0]}? " if close else ""
        listed = f"its values are {joined(there)}" if there else f"{joined([s.method for s in named])} has no such key"
        return f"no point has {key} {value}; {hint}{listed}"
    return "no point has all of these values together; remove one of them, or the entry"


def _keys(entry: BaseModel) -> set[str]:
    return set(entry.model_fields_set)
