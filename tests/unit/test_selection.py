"""The fair set as properties: no order of rows changes it, and no prompt is on two sides."""

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from prefsweep.dataset import DatasetSpec
from prefsweep.duplicates import find_duplicates
from prefsweep.entries import Entries, Entry
from prefsweep.failures import StageError
from prefsweep.formats import Example
from prefsweep.selection import Selection, select
from prefsweep.splitting import cluster_of, halves_of, row_ids

THINGS = "kettle garden bicycle lantern harbour violin saddle glacier"
LONG = f"Please explain slowly and with an example how people in the mountains repair a {THINGS}"
PROMPTS = [
    *(f"question {n}" for n in range(12)),
    *(f"{LONG} number {n}" for n in range(4)),
    LONG.replace("slowly", "slow"),
]
Row = tuple[str, str, bool | None]


def entries_of(rows: list[Row]) -> list[Entry]:
    """Rows as they would be read from one file, in this order."""
    examples = []
    for line, (prompt, answer, label) in enumerate(rows, 1):
        messages = [{"role": "user", "content": prompt}]
        rejected = f"not {answer}" if label is None else None
        examples.append(Example(line, messages, answer=answer, rejected=rejected, desirable=label))
    return [
        Entry(name, cluster_of(example.messages), repeated, Path("rows.jsonl"), example)
        for example, (name, repeated) in zip(examples, row_ids(examples), strict=True)
    ]


def selected(rows: list[Row], **keys: Any) -> Selection:
    entries = entries_of(rows)
    content = "pairs" if rows[0][2] is None else "labelled"
    spec = DatasetSpec(name="x", path=Path("rows.jsonl"), max_too_long=1.0, **keys)
    lengths = {entry.id: len(entry.example.answer or "") for entry in entries}
    return select(Entries(content, entries, [], [], [], {}), spec, lengths, max_length=60)


def fate(rows: list[Row], keys: dict[str, Any]) -> Any:
    """Which rows are kept, dropped and why, and in which half; or why nothing can be."""
    try:
        selection = selected(rows, **keys)
    except StageError as error:
        return str(error)
    sides = [
        ({(entry.id, entry.cluster) for entry in side.entries}, side.dropped)
        for side in (selection.training, selection.heldout)
    ]
    assert not selection.training.clusters & selection.heldout.clusters
    assert halves_of(selection.heldout.clusters).keys() == selection.heldout.clusters
    return sides, halves_of(selection.heldout.clusters), selection.duplicates


pairs = st.tuples(st.sampled_from(PROMPTS), st.sampled_from(["yes", "no", "a longer answer " * 6]), st.none())
labels = st.tuples(st.sampled_from(PROMPTS), st.sampled_from(["yes", "no", "maybe"]), st.booleans())


@settings(deadline=None)  # on a busy machine an example takes long
@given(
    rows=st.one_of(st.lists(pairs, min_size=30, max_size=60), st.lists(labels, min_size=30, max_size=60)),
    keys=st.fixed_dictionaries(
        {
            "duplicates": st.sampled_from(["keep", "drop"]),
            "limit": st.sampled_from([None, 5]),
            "heldout_fraction": st.sampled_from([0.2, 0.4]),
        }
    ),
    chance=st.randoms(use_true_random=False),
)
def test_no_order_of_rows_changes_the_fair_set_and_no_prompt_is_on_two_sides(
    rows: list[Row], keys: dict[str, Any], chance: Any
) -> None:
    assert fate(chance.sample(rows, len(rows)), keys) == fate(rows, keys)


def test_contradicting_labels_are_no_duplicates() -> None:
    entries = entries_of([(LONG, "yes", True), (LONG, "yes", False), (f"{LONG}!", "yes", True)])
    assert find_duplicates(entries[:2]).near == {}
    assert find_duplicates(entries).near.keys() | find_duplicates(entries).near.values() == {
        entries[0].id,
        entries[2].id,
    }


def test_what_many_prompts_share_is_a_template() -> None:
    """More than ten training prompts of one form do not make a held-out prompt of that form a leak."""
    rows: list[Row] = [(f"{LONG} {n:03}", "yes", None) for n in range(40)]
    found = selected(rows, heldout_fraction=0.2)
    assert len(found.heldout.entries) == 8
    assert not found.heldout.dropped


def joined(prompts: list[str], trained: list[str]) -> list[str]:
    """Clusters of held-out prompts once those that nearly repeat another have joined it, in the order of `prompts`."""
    training, heldout = (entries_of([(prompt, "yes", None) for prompt in side]) for side in (trained, prompts))
    spec = DatasetSpec(name="x", path=Path("rows.jsonl"))
    lengths = {entry.id: 1 for entry in (*training, *heldout)}
    found = select(Entries("pairs", training, heldout, [], [], {}), spec, lengths, max_length=60)
    assert len(found.joined) == len(prompts) - len(found.heldout.clusters)
    clusters = {entry.example.messages[0]["content"]: entry.cluster for entry in found.heldout.entries}
    return [clusters[prompt] for prompt in prompts]


def test_held_out_prompts_that_are_nearly_the_same_count_as_one() -> None:
    prompts = [f"{LONG} today", "question", f"{LONG} to-day", "task"]
    found = joined(prompts, ["something else"])
    assert found[0] == found[2] == min(map(cluster, (prompts[0], prompts[2])))
    assert [found[1], found[3]] == [cluster("question"), cluster("task")]
    assert joined(prompts[::-1], ["something else"]) == found[::-1]


def test_held_out_prompts_of_a_template_stay_apart() -> None:
    many = [f"{LONG} {n:03}" for n in range(11)]
    assert joined(many, ["something else"]) == list(map(cluster, many))
    assert joined(["q", f"{LONG} x", f"{LONG} y"], many) == list(map(cluster, ["q", f"{LONG} x", f"{LONG} y"]))


def cluster(prompt: str) -> str:
    return cluster_of([{"role": "user", "content": prompt}])
