"""Where data comes from, what pins it, and its check before any job starts."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from prefsweep import checking
from prefsweep.checking import DatasetCounts, check_dataset, check_once
from prefsweep.data_files import local_files, source_revision
from prefsweep.dataset import DatasetSpec, SpecError, load_dataset_spec
from prefsweep.failures import StageError
from prefsweep.splitting import cluster_of, held_out_clusters
from prefsweep.yaml_file import YamlError

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = ROOT / "config" / "datasets"
WHEEL = {"package": "p", "version": "1", "sha256": "0" * 64, "member": "p/rows.json", "member_sha256": "0" * 64}


def pair(prompt: str, chosen: str = "Yes 😊", rejected: str = "Yes.") -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": chosen}]
    return {"messages": turns, "rejected_response": rejected}


def labelled(prompt: str, label: bool) -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": "Yes."}]
    return {"messages": turns, "label": label}


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def spec_of(folder: Path, **values: Any) -> DatasetSpec:
    return load_dataset_spec(values, SHIPPED, folder)


def test_every_shipped_data_set_loads() -> None:
    for file in SHIPPED.glob("*.yaml"):
        spec = load_dataset_spec(file.stem, SHIPPED, ROOT)
        assert spec.name == file.stem
        assert spec.licence
        assert spec.described_source


def test_the_original_data_set_is_ms_swifts() -> None:
    spec = load_dataset_spec("shareai-emoji", SHIPPED, ROOT)
    assert (spec.hub, spec.id) == ("modelscope", "hjh0119/shareAI-Llama3-DPO-zh-en-emoji")
    assert spec.delete == "\ufe0f"
    assert isinstance(spec.showcase, list)
    assert spec.showcase[0].startswith("我最近感觉口渴")


def test_relative_paths_become_absolute_and_survive_json(tmp_path: Path) -> None:
    write(tmp_path / "x#5.jsonl", [pair("a")])
    spec = spec_of(tmp_path, path="x#5.jsonl")
    assert spec.path == (tmp_path / "x#5.jsonl").resolve()
    assert DatasetSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize(
    ("values", "location", "words"),
    [
        ({"path": "absent.jsonl"}, ("path",), "no such file: "),
        ({"path": "x.jsonl", "heldout": "absent"}, ("heldout",), "heldout: no such file: "),
        ({}, (), "needs one of `path`"),
        ({"path": "x.jsonl", "hub": "huggingface", "id": "a/b"}, (), "needs one of `path`"),
        ({"hub": "modelscope"}, (), "`hub` needs `id`"),
        ({"hub": "elsewhere", "id": "a/b"}, ("hub",), "huggingface"),
        ({"hub": "huggingface", "id": "../b"}, ("id",), "id: "),
        ({"path": "x.jsonl", "revision": "main"}, (), "`revision` needs `hub`"),
        ({"path": "x.jsonl", "heldout": "x.jsonl", "heldout_fraction": 0.5}, (), "not both"),
        ({"path": "x.jsonl", "heldout_fraction": 1.0}, ("heldout_fraction",), "less than 1"),
        ({"path": "x.jsonl", "limit": 0}, ("limit",), "greater than or equal to 1"),
        ({"path": "x.jsonl", "limit": "5"}, ("limit",), "valid integer"),
        ({"path": "x.jsonl", "synthetic": "no"}, ("synthetic",), "valid boolean"),
        ({"path": "x.jsonl", "held_out": "x"}, ("held_out",), "did you mean 'heldout'"),
        ({"path": "x.jsonl", "files": ["a"]}, ("path",), "choose from a folder"),
        ({"hub": "modelscope", "id": "a/b", "files": ["a"], "split": "b"}, (), "`files` or `split`, not both"),
        ({"hub": "modelscope", "id": "a/b", "split": "a/b"}, ("split",), "split: "),
        ({"wheel": WHEEL, "split": "a"}, (), "`split` needs `hub` or a folder"),
        ({"wheel": WHEEL | {"sha": "a"}}, ("wheel", "sha"), "wheel.sha: unknown key; did you mean 'sha256'"),
        ({"path": "x.jsonl", "ratings": {"columns": "a"}}, ("ratings", "column"), "ratings.column: field required"),
        (
            {"path": "x.jsonl", "ratings": {"column": "a", "desirable_from": 1, "undesirable_to": 2}},
            ("ratings",),
            "must be below",
        ),
        ({"path": "x.jsonl", "scored": {"rejected": "best"}}, ("scored", "rejected"), "'worst' or 'random'"),
        ({"path": "x.jsonl", "policies": {"equal": "drop"}}, ("policies", "equal", "[key]"), "'equal_answers'"),
        ({"path": "x.jsonl", "policies": {"empty_text": "skip"}}, ("policies", "empty_text"), "'error' or 'drop'"),
        (
            {"path": "x.jsonl", "columns": {"prompt": "a", "choosen": "b"}},
            ("columns",),
            "'choosen'; did you mean 'chosen'",
        ),
        (
            {"path": "x.jsonl", "columns": {"good": "b"}},
            ("columns",),
            "columns: no format reads a column 'good'; allowed",
        ),
        ({"path": "folder", "heldout": "folder"}, ("heldout",), "is a folder; name a file"),
        ({"path": "pipe"}, ("path",), "is a pipe or device; name a file"),
    ],
)
def test_a_faulty_description_names_the_key(
    tmp_path: Path, values: dict[str, Any], location: tuple[str, ...], words: str
) -> None:
    write(tmp_path / "x.jsonl", [pair("a")])
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SpecError) as caught:
        load_dataset_spec(values, SHIPPED, tmp_path)
    assert words in str(caught.value)
    assert caught.value.location == location


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(SpecError, match="did you mean 'emoji-en'"):
        load_dataset_spec("emoji_en", SHIPPED, ROOT)
    with pytest.raises(SpecError, match=r"a file is \{path: FILE\}"):
        load_dataset_spec("../datasets/emoji-en", SHIPPED, ROOT)


def test_a_fault_in_a_dataset_file_names_its_line(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("licence: MIT\npaht: x.jsonl\n")
    with pytest.raises(YamlError, match=r"mine.yaml:2: paht: unknown key; did you mean 'path'"):
        load_dataset_spec("mine", tmp_path, tmp_path)


def test_the_revision_pins_content_and_settings_but_not_names(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl", [pair("a")])
    write(tmp_path / "b.jsonl", [pair("a")])
    write(tmp_path / "c.jsonl", [pair("c")])
    first = source_revision(spec_of(tmp_path, path="a.jsonl"))
    assert first.startswith("sha256:")
    assert source_revision(spec_of(tmp_path, path="b.jsonl", licence="MIT")) == first
    other: list[dict[str, Any]] = [
        {"path": "c.jsonl"},
        {"path": "a.jsonl", "limit": 1},
        {"path": "a.jsonl", "heldout": "c.jsonl"},
        {"path": "a.jsonl", "showcase": ["Hi"]},
    ]
    revisions = {source_revision(spec_of(tmp_path, **values)) for values in other}
    assert len(revisions | {first}) == 5


def test_a_hub_data_set_is_pinned_by_its_revision_and_unchecked_until_fetched(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, hub="huggingface", id="a/b", revision="0f3a")
    assert source_revision(spec).startswith("0f3a+")
    assert spec_of(tmp_path, hub="modelscope", id="a/b").hub_revision == "master"
    assert check_dataset(spec, tmp_path / "downloads") is None


def test_a_hub_data_set_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefsweep import hub

    calls = []

    def fetch(hub: str, id: str, revision: str, patterns: list[str], target: Path) -> list[Path]:
        calls.append((hub, id, revision, patterns))
        target.mkdir(parents=True)
        return [write(target / "train.jsonl", [pair(str(n)) for n in range(10)])]

    monkeypatch.setattr(hub, "fetch_dataset_files", fetch)
    spec = spec_of(tmp_path, hub="huggingface", id="a/b", revision="0f3a", files=["*.jsonl"])
    for _ in range(2):
        assert [path.name for path in local_files(spec, tmp_path / "downloads").training] == ["train.jsonl"]
    assert calls == [("huggingface", "a/b", "0f3a", ["*.jsonl"])]
    counts = check_dataset(spec, tmp_path / "downloads")
    assert counts is not None
    assert (counts.rows, counts.heldout_rows) == (8, 2)


def test_counts_with_a_held_out_file(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [pair("a"), pair("a", "Sure 😊"), pair("b")])
    write(tmp_path / "h.jsonl", [pair("c"), pair("d")])
    counts = check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl", limit=2), tmp_path)
    assert counts is not None
    assert (counts.content, counts.rows, counts.heldout_rows) == ("pairs", 2, 2)
    assert (counts.clusters, counts.heldout_clusters) == (2, 2)
    assert counts.explanations[0] == "x.jsonl: read as ms-swift messages + rejected_response, 3 rows"


def test_a_share_is_held_out_by_prompt(tmp_path: Path) -> None:
    rows = [pair(f"prompt {n}", f"answer {m} 😊") for n in range(20) for m in range(3)]
    counts = check_dataset(
        spec_of(tmp_path, path=str(write(tmp_path / "x.jsonl", rows)), heldout_fraction=0.25), tmp_path
    )
    assert counts is not None
    assert (counts.rows, counts.heldout_rows) == (45, 15)
    assert (counts.clusters, counts.heldout_clusters) == (15, 5)


def test_leaks_are_listed_with_both_places(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [pair("a"), pair("How  ARE you?"), pair("Ｃ")])
    write(tmp_path / "h.jsonl", [pair("z"), pair("how are you"), pair("c", "x", "y"), pair("a")])
    with pytest.raises(StageError) as caught:
        check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl"), tmp_path)
    text = str(caught.value).replace(f"{tmp_path.resolve()}/", "")
    assert text.startswith("3 held-out prompts leak into training")
    assert "h.jsonl:2 has the prompt of x.jsonl:2" in text


def test_labelled_rows_with_held_out_pairs(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [labelled("a", True), labelled("b", False), labelled("e", True)])
    write(tmp_path / "h.jsonl", [pair("c"), pair("d")])
    counts = check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl"), tmp_path)
    assert counts is not None
    assert (counts.content, counts.rows, counts.has_pairs) == ("labelled", 3, True)
    assert counts.labels == {True: 2, False: 1}


def test_labels_are_counted_among_the_rows_that_are_trained_on(tmp_path: Path) -> None:
    rows = [labelled(f"prompt {n}", n % 4 > 0) for n in range(40)]
    counts = check_dataset(spec_of(tmp_path, path=str(write(tmp_path / "x.jsonl", rows)), limit=16), tmp_path)
    assert counts is not None
    assert (counts.rows, counts.heldout_rows, counts.has_pairs) == (16, 8, False)
    reserved = held_out_clusters({cluster_of(row["messages"][:1]) for row in rows}, 0.2)
    trained = [row["label"] for row in rows if cluster_of(row["messages"][:1]) not in reserved]
    assert counts.labels[False] == round(16 * trained.count(False) / 32)
    assert sum(counts.labels.values()) == 16


def test_one_label_left_after_holding_out_is_an_error(tmp_path: Path) -> None:
    names = sorted((f"prompt {n}" for n in range(5)), key=lambda name: cluster_of(pair(name)["messages"][:1]))
    write(tmp_path / "x.jsonl", [labelled(name, index > 0) for index, name in enumerate(names)])
    with pytest.raises(StageError, match="3 training rows that remain when prompts are held out all have one label"):
        check_dataset(spec_of(tmp_path, path="x.jsonl"), tmp_path)


def test_labels_of_one_kind_are_refused_over_all_files(tmp_path: Path) -> None:
    write(tmp_path / "h.jsonl", [pair("c"), pair("d")])
    folder = tmp_path / "shards"
    folder.mkdir()
    write(folder / "0.jsonl", [labelled("a", True), labelled("b", True)])
    spec = spec_of(tmp_path, path="shards", heldout="h.jsonl")
    with pytest.raises(StageError, match="all 2 labels are true"):
        check_dataset(spec, tmp_path)
    write(folder / "1.jsonl", [labelled("a", False)])
    counts = check_dataset(spec, tmp_path)
    assert counts is not None
    assert counts.labels == {True: 2, False: 1}
    assert counts.explanations == [
        "2 files from 0.jsonl on: read as ms-swift messages + label, 3 rows",
        "h.jsonl: read as ms-swift messages + rejected_response, 2 rows",
    ]


def test_dropped_rows_are_counted_and_nowhere_else(tmp_path: Path) -> None:
    rows = [pair(str(number)) for number in range(8)]
    write(tmp_path / "x.jsonl", [*rows, pair("a", "same", "same"), pair("b", " ")])
    write(tmp_path / "h.jsonl", [pair("y"), pair("z"), pair("c", "same", "same")])
    policies = {"equal_answers": "drop", "empty_text": "drop"}
    counts = check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl", policies=policies), tmp_path)
    assert counts is not None
    assert counts.dropped == {"equal answers": 2, "empty text": 1}
    assert (counts.rows, counts.heldout_rows) == (8, 2)
    assert counts.notices[-2:] == ["2 rows dropped: equal answers.", "1 row dropped: empty text."]


def test_dropping_every_row_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [{"prompt": "a", "completion": "b", "stars": 3}] * 3)
    write(tmp_path / "h.jsonl", [pair("y"), pair("z")])
    ratings = {"column": "stars", "desirable_from": 4, "undesirable_to": 2}
    with pytest.raises(StageError, match=r"no training rows remain \(dropped: 3 rated between\)"):
        check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl", ratings=ratings), tmp_path)


def test_shards_are_of_one_format(tmp_path: Path) -> None:
    folder = tmp_path / "shards"
    folder.mkdir()
    write(folder / "0.jsonl", [pair("a")])
    write(folder / "1.jsonl", [{"prompt": "b", "chosen": "c", "rejected": "d"}])
    with pytest.raises(StageError, match=r"different formats: 0.jsonl: .*, 1 row; 1.jsonl: read as TRL standard"):
        check_dataset(spec_of(tmp_path, path="shards"), tmp_path)


def test_the_check_of_large_files_is_remembered_until_anything_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []

    def counted(spec: DatasetSpec, downloads: Path) -> DatasetCounts | None:
        checks.append(spec.name)
        return check_dataset(spec, downloads)

    def check(revision: str = "r", code: str = "c", name: str = "x.jsonl") -> DatasetCounts | None:
        return check_once(spec_of(tmp_path, path=name), tmp_path / "downloads", revision, code)

    monkeypatch.setattr(checking, "check_dataset", counted)
    write(tmp_path / "x.jsonl", [pair(str(number)) for number in range(9)])
    check(), check()
    assert len(checks) == 2
    assert not (tmp_path / "downloads").exists()
    monkeypatch.setattr(checking, "LARGE_BYTES", 100)
    first = check()
    assert check() == first
    assert len(checks) == 3
    check(revision="other")
    check(code="other")
    os.utime(tmp_path / "x.jsonl", ns=(0, 0))
    check()
    check(name=str(write(tmp_path / "y.jsonl", [pair(str(number)) for number in range(9)])))
    assert len(checks) == 7
    for kept in (tmp_path / "downloads" / "checked").iterdir():
        kept.write_text("{")
    assert check() == first
    assert len(checks) == 8
    write(tmp_path / "x.jsonl", [pair(str(number), "a", "a") for number in range(9)])
    for _ in range(2):
        with pytest.raises(StageError):
            check(revision="faulty")
    assert len(checks) == 10


def test_too_few_prompts_cannot_be_split(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [pair("a"), pair("b")])
    with pytest.raises(StageError, match="2 distinct prompts cannot be split"):
        check_dataset(spec_of(tmp_path, path="x.jsonl"), tmp_path)


def test_problems_of_all_files_are_reported_together(tmp_path: Path) -> None:
    write(tmp_path / "x.jsonl", [pair("a"), pair("b", "same", "same")])
    write(tmp_path / "h.jsonl", [pair("c"), pair("d", "")])
    write(tmp_path / "s.jsonl", [{"messages": [{"role": "user", "content": "x<|im_end|>"}]}])
    with pytest.raises(StageError) as caught:
        check_dataset(spec_of(tmp_path, path="x.jsonl", heldout="h.jsonl", showcase="s.jsonl"), tmp_path)
    text = str(caught.value)
    assert text.startswith("3 rows cannot be used")
    for place in ("x.jsonl:2: ", "h.jsonl:2: ", "s.jsonl:1: "):
        assert place in text
