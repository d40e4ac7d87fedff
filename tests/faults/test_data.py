"""Faults in data, as a user meets them: found before anything runs, with file, line, what is wrong and what to do."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefsweep.dataset import load_dataset_spec
from prefsweep.preparation import prepare
from prefsweep.rows import SHOWN
from tests.faults.conftest import Planning
from tests.hub_server import REVISION, serving_hub

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = ROOT.parent / "shared" / "data" / "dpo_en_demo.json"


def pair(prompt: Any, chosen: Any = "Yes 😊", rejected: Any = "Yes.") -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": chosen}]
    return {"messages": turns, "rejected_response": rejected}


def labelled(prompt: str, label: Any) -> dict[str, Any]:
    return {"messages": pair(prompt)["messages"], "label": label}


GOOD = [pair(f"question {number}") for number in range(12)]


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def write(folder: Path, rows: list[dict[str, Any]], name: str = "rows.jsonl") -> str:
    (folder / name).write_text(lines(rows))
    return f"{{path: {name}}}"


def test_d1_invalid_json_and_a_cut_off_end_have_line_and_column(planning: Planning) -> None:
    (planning.folder / "rows.jsonl").write_text(lines(GOOD) + '{"messages": }\n' + lines(GOOD)[:-30])
    output = planning.refused("{path: rows.jsonl}")
    assert "rows.jsonl:13:14: Expecting value" in output
    assert "rows.jsonl:25:" in output
    assert "invalid JSON (2): write complete JSON objects" in output


def test_d2_missing_and_empty_fields_are_listed_and_counted(planning: Planning) -> None:
    gone = [{"messages": GOOD[0]["messages"]}] * 15
    empty = [pair("a", None), pair("b", ""), pair("c", " \n"), pair(None)]
    output = planning.refused(write(planning.folder, GOOD + gone + empty))
    assert "19 rows cannot be used" in output
    assert (
        "missing field (17): add the field or delete the row; or drop such rows: `policies: {missing_field: drop}`"
        in output
    )
    assert [f"rows.jsonl:{line}: no rejected_response" in output for line in range(13, 24)] == [True] * SHOWN + [False]
    assert "… and 7 more" in output
    assert "empty text (2)" in output
    assert "rows.jsonl:29: messages[1].content is empty" in output


def test_d3_equal_answers_are_refused_or_dropped_and_counted(planning: Planning) -> None:
    dataset = write(planning.folder, [*GOOD, pair("a", "same", "same "), pair("b", "x", "x")])
    assert "rows.jsonl:13: chosen and rejected are both 'same'" in planning.refused(dataset)
    printed = planning.plan(f"{dataset[:-1]}, policies: {{equal_answers: drop}}}}")
    assert "2 rows dropped: equal answers." in printed
    assert "rows.jsonl: read as ms-swift messages + rejected_response, 14 rows" in printed


def test_d4_turns_out_of_order_are_refused(planning: Planning) -> None:
    user, assistant = GOOD[0]["messages"]
    system = {"role": "system", "content": "Be kind."}
    wrong = {
        "messages[0] has the role 'narrator'": [{"role": "narrator", "content": "x"}, user, assistant],
        "messages[1] is the system's": [system, system, user, assistant],
        "the last turn of messages is not the assistant's": [user],
        "messages[1] is the user's where assistant": [user, user, assistant],
    }
    rows = [{"messages": turns, "rejected_response": "x"} for turns in wrong.values()]
    output = planning.refused(write(planning.folder, GOOD + rows))
    for line, words in enumerate(wrong, 13):
        assert f"rows.jsonl:{line}: {words}" in output


def test_d5_labels_are_booleans_of_both_kinds_and_their_ratio_is_shown(planning: Planning) -> None:
    folder = planning.folder
    write(folder, [pair(f"held-out {number}") for number in range(4)], "heldout.jsonl")
    dataset = "{path: rows.jsonl, heldout: heldout.jsonl}"
    write(folder, [labelled(f"q {number}", label) for number, label in enumerate([True, "false", 0, 1, None, False])])
    output = planning.refused(dataset)
    assert "wrong label (4)" in output
    for line, label in ((2, "'false'"), (3, "0"), (4, "1"), (5, "None")):
        assert f"rows.jsonl:{line}: label is {label}, not true or false" in output
    write(folder, [labelled(f"q {number}", True) for number in range(6)])
    assert "all 6 labels are true" in planning.refused(dataset)
    write(folder, [labelled(f"q {number}", number % 3 == 0) for number in range(6)])
    assert "cpo, dpo, orpo and simpo cannot train on this data: to learn they need two" in planning.refused(dataset)
    status, output = planning.outcome(dataset, "plan", "--config", "methods={kto: {}}")
    assert status == 0, output
    assert "Rows are labelled one by one (2 desirable, 4 undesirable)" in output


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lines(GOOD).encode("utf-16"), "rows.jsonl: UTF-16 text, not rows"),
        (lines([*GOOD, pair("café")]).replace("😊", "").encode("latin-1"), "rows.jsonl:13: byte 0xe9 at offset"),
        (lines([*GOOD, pair("x")]).replace('"x"', '"x\0"').encode(), "rows.jsonl:13:45: NUL"),
        (lines([*GOOD, pair("x")]).replace('"x"', '"\\ud800"').encode(), "rows.jsonl:13: an escaped NUL or unpaired"),
    ],
    ids=["UTF-16", "Latin-1", "NUL", "surrogate"],
)
def test_d7_other_encodings_are_refused_with_their_place(planning: Planning, content: bytes, words: str) -> None:
    (planning.folder / "rows.jsonl").write_bytes(content)
    assert words in planning.refused("{path: rows.jsonl}")


def test_d7_a_byte_order_mark_and_crlf_are_fine(planning: Planning) -> None:
    (planning.folder / "rows.jsonl").write_bytes(b"\xef\xbb\xbf" + lines(GOOD).replace("\n", "\r\n").encode())
    assert "read as ms-swift messages + rejected_response, 12 rows" in planning.plan("{path: rows.jsonl}")


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("binary.jsonl", bytes(range(256)) * 20, "binary.jsonl: binary data that begins with"),
        ("empty.jsonl", b"", "empty.jsonl: 0 rows"),
        ("cut.jsonl", gzip.compress(lines(GOOD).encode(), mtime=0)[:-12], "cut.jsonl: damaged gzip file"),
        ("broken.jsonl", b"PAR1" + b"\0" * 99, "broken.jsonl: damaged Parquet file"),
    ],
)
def test_d8_what_is_no_text_is_named(planning: Planning, name: str, content: bytes, words: str) -> None:
    (planning.folder / name).write_bytes(content)
    assert words in planning.refused(f"{{path: {name}}}")


def test_d8_folders_without_rows_and_pipes_are_named_and_never_waited_for(planning: Planning) -> None:
    (planning.folder / "nothing").mkdir(exist_ok=True)
    assert "nothing: no data files in this folder" in planning.refused("{path: nothing}")
    os.mkfifo(planning.folder / "pipe.jsonl")
    assert "pipe.jsonl is a pipe or device; name a file" in planning.refused("{path: pipe.jsonl}")


def test_d8_gzip_and_parquet_under_another_name_are_read_as_what_they_are(planning: Planning) -> None:
    import pyarrow
    from pyarrow.parquet import write_table

    folder = planning.folder / "shards"
    folder.mkdir()
    (folder / "0.jsonl").write_bytes(gzip.compress(lines(GOOD).encode()))
    assert "0.jsonl: read as ms-swift messages + rejected_response (JSON lines, gzipped), 12 rows" in planning.plan(
        "{path: shards}"
    )
    (folder / "0.jsonl").unlink()
    write_table(pyarrow.Table.from_pylist(GOOD), folder / "1.jsonl")
    assert "1.jsonl: read as ms-swift messages + rejected_response (Parquet), 12 rows" in planning.plan(
        "{path: shards}"
    )


MANY = 200_000
CHECK = """
import json, sys
from pathlib import Path
from prefsweep.checking import check_dataset
from prefsweep.dataset import load_dataset_spec
from prefsweep.failures import StageError
from prefsweep.memory import peak_memory
spec = load_dataset_spec({"path": sys.argv[1]}, Path("."), Path("."))
try:
    check_dataset(spec, Path("."))
    error = ""
except StageError as problem:
    error = str(problem)
print(json.dumps([error, peak_memory()[0]]))
"""


def test_d9_memory_does_not_grow_with_the_rows_and_the_last_fault_is_found(tmp_path: Path) -> None:
    """A fifth of a million rows; `benchmarks/validate.py` has the million and the clock."""
    text = "word " * 300
    with (tmp_path / "rows.jsonl").open("w") as stream:
        for number in range(MANY):
            stream.write(lines([pair(f"question {number}", text, "no")]))
        stream.write('{"messages": \n')
    command = [sys.executable, "-c", CHECK, str(tmp_path / "rows.jsonl")]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "scripts")}
    checked = subprocess.run(command, check=True, capture_output=True, text=True, env=environment, timeout=60)
    error, peak = json.loads(checked.stdout)
    assert f"rows.jsonl:{MANY + 1}:14: Expecting value" in error
    assert peak < min(300e6, (tmp_path / "rows.jsonl").stat().st_size / 2)


def test_d11_prompts_that_repeat_in_held_out_rows_are_clustered_and_said(planning: Planning, tmp_path: Path) -> None:
    heldout = [pair("x"), pair("X?", "Sure 😊"), pair("y"), pair("z")]
    write(tmp_path, heldout, "heldout.jsonl")
    write(tmp_path, GOOD)
    spec = load_dataset_spec({"path": "rows.jsonl", "heldout": "heldout.jsonl"}, ROOT / "config/datasets", tmp_path)
    audit = prepare(spec, tmp_path, planning.folder / "base-model", 512, tmp_path / "data")
    assert "1 held-out row with the prompt of another; statistics count prompts" in audit.notices
    assert sum(half.prompts for half in audit.halves.values()) == 3
    assert audit.heldout_rows == 4


NO_NETWORK = """
import socket
def refuse(*arguments):
    open({canary!r}, "a").write(repr(arguments[1:]))
    raise OSError("no network in this test")
socket.socket.connect = socket.getaddrinfo = refuse
"""


def test_d13_a_path_is_never_looked_up_on_a_hub(planning: Planning, tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    (tmp_path / "sitecustomize.py").write_text(NO_NETWORK.format(canary=str(canary)))
    write(planning.folder, GOOD, "x#5.jsonl")
    environment = {"PYTHONPATH": str(tmp_path)}
    status, output = planning.outcome("{path: owner/rows}", **environment)
    assert status == 2, output
    assert "nothing was started" in output
    assert "study.yaml:3: dataset: path: no such file: " in output
    assert "owner/rows; relative paths start at" in output
    status, output = planning.outcome('{path: "x#5.jsonl"}', "plan", **environment)
    assert status == 0, output
    assert not canary.exists()


def test_rows_from_a_hub_are_checked_before_the_first_job(planning: Planning, tmp_path: Path) -> None:
    repository = tmp_path / "hub" / "owner" / "pairs"
    repository.mkdir(parents=True)
    write(repository, [*GOOD, pair("a", "same", "same")], "train.jsonl")
    dataset = f"{{hub: huggingface, id: owner/pairs, revision: {REVISION}, split: train}}"
    with serving_hub(tmp_path / "hub") as hub:
        environment = {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_TELEMETRY": "1"}
        status, output = planning.outcome(dataset, "all", **environment)
    assert status == 2, output
    assert "train.jsonl:13: chosen and rejected are both 'same'" in output
    assert "rule prepare" not in output


def test_d14_special_tokens_in_content_are_found(planning: Planning) -> None:
    turns = [{"role": "system", "content": "Obey.<|im_end|>"}, *GOOD[0]["messages"]]
    rows = [*GOOD, {"messages": turns, "rejected_response": "x"}, pair("a", "b<|endoftext|>")]
    output = planning.refused(write(planning.folder, rows))
    assert "rows.jsonl:13: messages[0].content contains <|im_end|>" in output
    assert "rows.jsonl:14: messages[1].content contains <|endoftext|>" in output
    assert "the chat template adds such tokens" in output


def test_real_preference_conversations_need_no_conversion(planning: Planning) -> None:
    if not REAL_DATA.exists():
        pytest.skip(f"{REAL_DATA.name} is not beside the project")
    printed = planning.plan(f"{{path: {REAL_DATA}}}")
    assert "dpo_en_demo.json: read as ShareGPT pairs (JSON array), 300 rows" in printed
    assert "(240 rows)" in printed
