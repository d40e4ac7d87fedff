"""Documents that tasks bring along are compared with what is trained on, and nothing else is read."""

import json
from pathlib import Path
from typing import Any

import pytest

from prefsweep.benchmarks import check_benchmarks, compared_with_prepared
from prefsweep.dataset import DatasetSpec
from prefsweep.failures import StageError
from prefsweep.lm_eval_form import ROOT, absolute, task
from prefsweep.records.data import LabelledRow, Pair
from prefsweep.splitting import cluster_of, held_out_clusters
from prefsweep.tasks import brings_documents, is_elsewhere, task_documents

WORDS = "the old lighthouse keeper counted seven ships before the storm reached his harbour"


def row(prompt: str, answer: str = "Yes") -> dict[str, Any]:
    return {
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": answer}],
        "rejected_response": WORDS,
    }


def check(folder: Path, rows: list[dict[str, Any]], documents: str, **keys: Any) -> None:
    (folder / "rows.jsonl").write_text("".join(json.dumps(line) + "\n" for line in rows))
    (folder / "documents.json").write_text(documents)
    (folder / "own.yaml").write_text("dataset_path: json\ndataset_kwargs: {data_files: documents.json}\n")
    spec = DatasetSpec(name="rows", path=folder / "rows.jsonl", **keys)
    check_benchmarks(spec, folder, [str(folder / "own.yaml")], folder)


def test_overlaps_are_listed_by_document_and_row(tmp_path: Path) -> None:
    (tmp_path / "heldout.jsonl").write_text(json.dumps(row(WORDS)) + "\n")
    rows = [row("a"), row(f"Why: {WORDS}"), row("b", WORDS.upper())]
    with pytest.raises(StageError, match="1 benchmark documents leak") as caught:
        check(
            tmp_path,
            rows,
            json.dumps([{"q": "none"}, {"q": {"deep": [f"so {WORDS}"]}}]),
            heldout=tmp_path / "heldout.jsonl",
        )
    assert f"documents.json document 2 shares 13 words with the prompt of {tmp_path}/rows.jsonl:2" in str(caught.value)
    assert "evaluate.tasks" in caught.value.remedy


def test_rejected_answers_and_held_out_rows_do_not_leak(tmp_path: Path) -> None:
    prompts = [f"prompt {n}" for n in range(9)] + [f"ask {n} {WORDS}" for n in range(6)]
    clusters = {prompt: cluster_of(row(prompt)["messages"][:1]) for prompt in prompts}
    reserved = held_out_clusters(clusters.values(), 0.5)
    kept = [row(prompt) for prompt in prompts if WORDS not in prompt or clusters[prompt] in reserved]
    check(tmp_path, kept, json.dumps({"q": WORDS}), heldout_fraction=len(reserved) / len(kept))


def test_what_was_compared_with_the_rows_trained_on_is_recorded(tmp_path: Path) -> None:
    documents = [{"q": f"Really: {WORDS}"}, {"q": "none"}, {"q": WORDS[::-1]}]
    (tmp_path / "own.jsonl").write_text("".join(json.dumps(document) + "\n" for document in documents))
    (tmp_path / "own.yaml").write_text("dataset_path: json\ndataset_kwargs: {data_files: own.jsonl}\n")
    (tmp_path / "rows.yaml").write_text("dataset_path: json\n")
    tasks = [str(tmp_path / "own.yaml"), str(tmp_path / "rows.yaml"), "truthfulqa_mc2"]
    pairs = [
        Pair(id=str(n), cluster=str(n), messages=[{"role": "user", "content": text}], chosen="a", rejected=WORDS)
        for n, text in enumerate(("Why?", f"So: {WORDS}"))
    ]
    found = compared_with_prepared(pairs, [], tasks, tmp_path)
    assert [(file.name, file.bytes > 0) for file in found.files] == [("own.jsonl", True)]
    assert (found.documents, found.overlaps, found.not_compared) == (3, 1, ["truthfulqa_mc2"])
    assert found.listed == [f"{tmp_path}/own.jsonl:1 shares 13 words with the prompt of row 1"]
    assert compared_with_prepared(pairs[:1], [], tasks, tmp_path).overlaps == 0
    for desirable, overlaps in ((True, 1), (False, 0)):
        labelled = LabelledRow(id="1", cluster="1", messages=pairs[0].messages, answer=WORDS, desirable=desirable)
        assert compared_with_prepared([], [labelled], tasks, tmp_path).overlaps == overlaps


@pytest.mark.parametrize(
    ("given", "elsewhere", "own"),
    [
        ("dataset_path: json", False, False),
        ("dataset_path: owner/name", True, True),
        ("dataset_path: json\ndataset_kwargs: {data_files: a.jsonl}", False, True),
        ('dataset_path: json\ndataset_kwargs: {data_files: "https://example.org/d.jsonl"}', True, True),
    ],
)
def test_where_a_tasks_documents_are(tmp_path: Path, given: str, elsewhere: bool, own: bool) -> None:
    (tmp_path / "t.yaml").write_text(f"task: t\n{given}\n")
    assert is_elsewhere(str(tmp_path / "t.yaml")) is elsewhere
    assert brings_documents(str(tmp_path / "t.yaml")) is own
    assert is_elsewhere("arc_easy")
    assert brings_documents("arc_easy")


def test_documents_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(StageError, match=r"documents\.json cannot be read") as caught:
        check(tmp_path, [row("a"), row("b"), row("c")], "[1,")
    assert caught.value.failure == "config"


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("{}", []),
        ("dataset_kwargs: {data_files: d.jsonl}", ["/project/d.jsonl"]),
        ("dataset_kwargs: {data_files: [a.jsonl, /b.jsonl]}", ["/project/a.jsonl", "/b.jsonl"]),
        ("test_split: t\ndataset_kwargs: {data_files: {train: a.jsonl, t: b.jsonl}}", ["/project/b.jsonl"]),
        ("validation_split: v\ndataset_kwargs: {data_files: {v: [b.jsonl]}}", ["/project/b.jsonl"]),
        ('dataset_kwargs: {data_files: "https://example.org/d.jsonl"}', []),
    ],
)
def test_a_tasks_own_documents(tmp_path: Path, given: str, found: list[str]) -> None:
    (tmp_path / "t.yaml").write_text(f"task: t\n{given}\n" if given != "{}" else "task: t\n")
    assert [str(path) for path in task_documents(tmp_path / "t.yaml", Path("/project"))] == found


def test_lm_eval_gets_a_tasks_own_documents_or_the_studys_rows(tmp_path: Path) -> None:
    file = tmp_path / "t.yaml"
    file.write_text("task: t\n")
    assert task(str(file), Path("/rows"))["dataset_kwargs"] == {"data_files": {"test": "/rows"}}
    file.write_text("task: t\ndataset_kwargs: {field: x, data_files: {test: own.jsonl}}\n")
    assert task(str(file), Path("/rows"))["dataset_kwargs"] == {
        "field": "x",
        "data_files": {"test": f"{ROOT}/own.jsonl"},
    }
    assert absolute(["/a", "https://x/y"]) == ["/a", "https://x/y"]
