"""One fair data set: split by prompt, filtered once for all methods, audited, written in ms-swift's form."""

import json
import re
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from prefsweep.data_files import source_revision
from prefsweep.dataset import DatasetSpec, load_dataset_spec
from prefsweep.failures import Failure, StageError
from prefsweep.files import read_jsonl
from prefsweep.plan import GenerateSettings, Plan, PlannedData, PlannedModel
from prefsweep.preparation import prepare
from prefsweep.records.audit import DataAudit
from prefsweep.records.data import HeldOutPrompt, LabelledRow, Pair
from prefsweep.splitting import cluster_of, halves_of, held_out_clusters, overlapping, row_ids
from prefsweep.training_rows import derived_labels, write_heldout_rows, write_training_rows, written_ids
from prefsweep.traits import traits_of

ROOT = Path(__file__).resolve().parents[2]
REAL_DATA = ROOT.parent / "shared" / "data" / "dpo_en_demo.json"
TEMPLATE = (
    "{% for m in messages %}{% if m.content == 'refuse me' %}{{ raise_exception('no such turn') }}{% endif %}"
    "[{{ m.role }}] {{ m.content }} <eot> {% endfor %}"
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory with a tokenizer that makes each word one token."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({"<unk>": 0, "<eot>": 1}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="<eot>", unk_token="<unk>")
    tokenizer.chat_template = TEMPLATE
    directory = tmp_path_factory.mktemp("model")
    tokenizer.save_pretrained(directory)
    return directory


def pair(prompt: str, chosen: str = "Yes 😊", rejected: str = "Yes.") -> dict[str, Any]:
    turns = [{"role": "user", "content": prompt}, {"role": "assistant", "content": chosen}]
    return {"messages": turns, "rejected_response": rejected}


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return str(path)


def spec_of(folder: Path, rows: list[dict[str, Any]], **values: Any) -> DatasetSpec:
    path = write(folder / "rows.jsonl", rows)
    return load_dataset_spec({"path": path} | values, ROOT / "config" / "datasets", folder)


def prepared(folder: Path, spec: DatasetSpec, model: Path, max_length: int = 100) -> DataAudit:
    return prepare(spec, folder / "downloads", model, max_length, folder / "data")


def rows_of(folder: Path) -> tuple[list[Pair], list[LabelledRow], list[HeldOutPrompt]]:
    data = folder / "data"
    return (
        [Pair.model_validate(row) for row in read_jsonl(data / "pairs.jsonl")],
        [LabelledRow.model_validate(row) for row in read_jsonl(data / "labelled.jsonl")],
        [HeldOutPrompt.model_validate(row) for row in read_jsonl(data / "heldout.jsonl")],
    )


def test_prompts_never_straddle_the_split(tmp_path: Path, model: Path) -> None:
    rows = [pair(f"question {n}", f"answer {m} 😊") for n in range(20) for m in range(3)]
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout_fraction=0.25), model)
    pairs, labels, heldout = rows_of(tmp_path)
    assert (len(pairs), len(labels), len(heldout)) == (45, 90, 15)
    assert not {row.cluster for row in pairs} & {row.cluster for row in heldout}
    halves = Counter({row.cluster: row.half for row in heldout}.values())
    assert sorted(halves.values()) == [2, 3]
    assert len({row.id for row in pairs}) == 45
    assert audit.training_prompts == 15
    assert {half: count.prompts for half, count in audit.halves.items()} == halves
    assert DataAudit.read(tmp_path / "data" / "data.json") == audit


def test_the_split_does_not_depend_on_the_order_of_rows(tmp_path: Path, model: Path) -> None:
    rows = [pair(f"question {n}") for n in range(30)]
    prepared(tmp_path, spec_of(tmp_path, rows), model)
    first = {row.id: row.half for row in rows_of(tmp_path)[2]}
    prepared(tmp_path, spec_of(tmp_path, rows[::-1]), model)
    assert {row.id: row.half for row in rows_of(tmp_path)[2]} == first


def test_long_rows_are_dropped_for_all_methods_alike(tmp_path: Path, model: Path) -> None:
    """Each dialogue is `[user] … <eot> [assistant] … <eot>`: four words more than its texts."""
    answers = ["word " * (n % 10) + "end" for n in range(40)]
    rows = [pair(f"question {n}", *(("ok 😊", long) if n % 4 < 2 else (long, "ok"))) for n, long in enumerate(answers)]
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("y"), pair("z " * 90)])
    spec = spec_of(tmp_path, rows, heldout=heldout, max_too_long=0.4)
    audit = prepared(tmp_path, spec, model, max_length=12)
    pairs, labels, heldout = rows_of(tmp_path)
    assert {(row.chosen + row.rejected).count("word") for row in pairs} == {0, 1, 2, 3, 4, 5}
    assert {row.id.partition(".")[0] for row in labels} == {row.id for row in pairs}
    assert audit.training_dropped == {"longer than max_length": 16}
    assert audit.heldout_dropped == {"longer than max_length": 1}
    assert audit.row_tokens.longest == 16
    assert len(heldout) == 2
    assert "16 training rows longer than 12 tokens: seen by no method" in audit.notices


def test_limit_takes_the_same_rows_whatever_their_order(tmp_path: Path, model: Path) -> None:
    rows = [pair(f"question {n}") for n in range(30)]
    audit = prepared(tmp_path, spec_of(tmp_path, rows, limit=5), model)
    first = {row.id for row in rows_of(tmp_path)[0]}
    prepared(tmp_path, spec_of(tmp_path, rows[::-1], limit=5), model)
    assert {row.id for row in rows_of(tmp_path)[0]} == first
    assert audit.training_rows == 5
    assert audit.training_dropped == {"beyond limit": 19}


def test_repeated_rows_are_kept_in_training_and_dropped_from_held_out(tmp_path: Path, model: Path) -> None:
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("x"), pair("y"), pair("y", "Sure 😊")])
    audit = prepared(tmp_path, spec_of(tmp_path, [pair("a"), pair("a"), pair("b")], heldout=heldout), model)
    pairs, _, kept = rows_of(tmp_path)
    assert len({row.id for row in pairs}) == 3
    assert len({row.id for row in kept}) == len(kept) == 3
    assert (audit.duplicates.exact_rows, audit.heldout_dropped) == (1, {"repeated row": 1})
    assert [notice[:10] for notice in audit.notices[:3]] == ["1 training", "1 held-out", "1 held-out"]


def test_a_shared_prompt_is_an_error_between_own_files(tmp_path: Path, model: Path) -> None:
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("B?")])
    with pytest.raises(StageError, match=r"h.jsonl:2 has the prompt of \S*rows.jsonl:2"):
        prepared(tmp_path, spec_of(tmp_path, [pair("a"), pair("b")], heldout=heldout), model)


LONG = "one two three four five six seven eight nine ten eleven twelve thirteen"


def test_thirteen_shared_words_are_an_error_between_own_files(tmp_path: Path, model: Path) -> None:
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair(f"Well: {LONG.title()}!")])
    spec = spec_of(tmp_path, [pair("a"), pair(f"Please, {LONG} please")], heldout=heldout)
    with pytest.raises(StageError, match="1 held-out prompts leak") as caught:
        prepared(tmp_path, spec, model)
    text = str(caught.value).replace(f"{tmp_path.resolve()}/", "")
    assert "h.jsonl:2 shares 13 words with rows.jsonl:2" in text


def test_thirteen_shared_words_drop_a_prompt_split_off(tmp_path: Path, model: Path) -> None:
    near = [pair(f"{start} {LONG}") for start in ("why", "how", "when", "where", "who", "which")]
    audit = prepared(tmp_path, spec_of(tmp_path, [*near, *(pair(f"question {n}") for n in range(14))]), model)
    pairs, _, heldout = rows_of(tmp_path)
    texts = [row.messages[0]["content"] for row in pairs]
    dropped = audit.heldout_dropped.get("13 words of the prompt are in a training prompt", 0)
    assert any(LONG in text for text in texts)
    assert not any(LONG in row.messages[0]["content"] for row in heldout)
    assert audit.leakage.shared_13_grams == dropped == 20 - len(pairs) - len(heldout)


def test_the_models_own_special_tokens_are_refused(tmp_path: Path, model: Path) -> None:
    spec = spec_of(tmp_path, [pair("a"), pair("b <eot>"), pair("refuse me"), pair("c")])
    with pytest.raises(StageError, match="2 rows cannot be used") as caught:
        prepared(tmp_path, spec, model)
    assert "rows.jsonl:2: contains <eot>, a token of this model" in str(caught.value)
    assert "rows.jsonl:3: no such turn" in str(caught.value)


def test_showcase_prompts_are_never_scored(tmp_path: Path, model: Path) -> None:
    rows = [pair(f"question {n}") for n in range(10)]
    audit = prepared(tmp_path, spec_of(tmp_path, rows, showcase=["Hello?", "hello"]), model)
    shown = [row for row in rows_of(tmp_path)[2] if row.part == "showcase"]
    assert [row.messages[0]["content"] for row in shown] == ["Hello?", "hello"]
    assert {(row.half, row.chosen) for row in shown} == {(None, None)}
    assert audit.showcase_prompts == 2


def test_labelled_rows_alone_give_no_pairs(tmp_path: Path, model: Path) -> None:
    rows = [{"messages": pair(f"question {n}")["messages"], "label": n % 3 == 0} for n in range(9)]
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("y")])
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout=heldout), model)
    pairs, labels, _ = rows_of(tmp_path)
    assert pairs == []
    assert {row.messages[0]["content"]: row.desirable for row in labels} == {
        f"question {n}": n % 3 == 0 for n in range(9)
    }
    assert [row.id for row in labels] == sorted(row.id for row in labels)
    assert (audit.desirable_rows, audit.undesirable_rows) == (3, 6)


def labelled(prompt: str, answer: str, label: bool) -> dict[str, Any]:
    return {"messages": pair(prompt, answer)["messages"], "label": label}


def test_labelled_rows_alone_are_held_out_by_prompt(tmp_path: Path, model: Path) -> None:
    """A prompt is asked once, whatever its rows, and the engine's held-out loss sees every label."""
    rows = [labelled(f"question {n}", f"answer {m}", m > 0) for n in range(10) for m in range(n % 3 + 1)]
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout_fraction=0.4), model)
    pairs, labels, heldout = rows_of(tmp_path)
    assert (pairs, traits_of(tmp_path / "data", [], ROOT, []).baselines) == ([], [])
    assert audit.content == "labelled"
    assert len(heldout) == len({row.cluster for row in heldout}) == 4
    assert not {row.cluster for row in labels} & {row.cluster for row in heldout}
    assert all(row.rejected == "answer 0" for row in heldout)
    assert {row.chosen is None for row in heldout} == {True, False}
    written = read_jsonl(write_heldout_rows("labelled", tmp_path / "data", tmp_path / "k.jsonl"))
    answers = [
        answer for row in heldout if row.half == "development" for answer in (row.chosen, row.rejected) if answer
    ]
    assert sorted(row["messages"][-1]["content"] for row in written) == sorted(answers)
    assert all(row["label"] is (row["messages"][-1]["content"] != "answer 0") for row in written)


def test_nearly_equal_prompts_that_are_held_out_share_a_half_and_keep_their_answers(
    tmp_path: Path, model: Path
) -> None:
    asked = "Could you tell me how the old lighthouse of our harbour was painted"
    rows = [labelled(f"question {n}", "yes", n > 2) for n in range(6)]
    write(tmp_path / "heldout.jsonl", [pair(f"{asked}{end}") for end in (" red", " in red", " or")] + [pair("other")])
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout=tmp_path / "heldout.jsonl"), model)
    heldout = rows_of(tmp_path)[2]
    assert (len(heldout), audit.heldout_joined_prompts) == (4, 2)
    assert sorted(half.prompts for half in audit.halves.values()) == [1, 1]
    assert len({(row.cluster, row.half) for row in heldout}) == 2
    assert "2 held-out prompts nearly repeating another; statistics count both as one" in audit.notices
    assert not any("the prompt of another" in notice for notice in audit.notices)


def test_prepared_files_that_changed_are_refused(tmp_path: Path, model: Path) -> None:
    prepared(tmp_path, spec_of(tmp_path, [pair(f"question {n}") for n in range(10)]), model)
    data = tmp_path / "data"
    for name, write_rows in (("pairs", write_training_rows), ("labelled", write_training_rows)):
        rows = (data / f"{name}.jsonl").read_text()
        (data / f"{name}.jsonl").write_text(rows.replace("Yes.", "No."))
        with pytest.raises(StageError, match=rf"{name}\.jsonl is not the file that was prepared"):
            write_rows(name, data, tmp_path / "rows.jsonl")
    (data / "heldout.jsonl").write_text("")
    with pytest.raises(StageError, match=r"heldout\.jsonl is not the file"):
        write_heldout_rows("pairs", data, tmp_path / "rows.jsonl")


def test_length_filter_that_leaves_nothing_is_an_error(tmp_path: Path, model: Path) -> None:
    spec = spec_of(tmp_path, [pair(f"question {n}") for n in range(10)])
    with pytest.raises(StageError, match="8 longer than max_length"):
        prepared(tmp_path, spec.model_copy(update={"max_too_long": 1.0}), model, max_length=3)


def test_more_too_long_rows_than_allowed_are_an_error_with_percentiles_and_remedy(tmp_path: Path, model: Path) -> None:
    rows = [pair(f"question {n}", "word " * (40 if n < 3 else 5)) for n in range(20)]
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("y")])
    spec = spec_of(tmp_path, rows, heldout=heldout)
    with pytest.raises(StageError, match=r"3 of 20 training rows \(15.0%\) are longer than max_length 20") as caught:
        prepared(tmp_path, spec, model, max_length=20)
    assert "50 % ≤ 11, 95 % ≤ 46" in str(caught.value)
    assert "Raise train.max_length (to 46 at least)" in caught.value.remedy
    prepared(tmp_path, spec.model_copy(update={"max_too_long": 0.15}), model, max_length=20)
    assert source_revision(spec) == source_revision(spec.model_copy(update={"max_too_long": 0.15}))


NEARLY = [f"Please explain to me in simple words how {thing} works in winter" for thing in ("a boat", "a bout", "soap")]


@pytest.mark.parametrize(("policy", "kept"), [("keep", 5), ("drop", 3)])
def test_repeated_and_nearly_repeated_rows_are_counted_listed_and_dropped_on_demand(
    tmp_path: Path, model: Path, policy: str, kept: int
) -> None:
    rows = [pair(NEARLY[0]), pair(NEARLY[1]), pair(NEARLY[0]), pair("other"), pair("another")]
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair("y")])
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout=heldout, duplicates=policy), model)
    assert audit.training_rows == len(rows_of(tmp_path)[0]) == kept
    assert (audit.duplicates.exact_rows, audit.duplicates.near_rows) == (1, 1)
    assert audit.duplicates.listed[0] == "rows.jsonl:3 repeats an earlier row"
    assert "nearly repeats rows.jsonl:" in audit.duplicates.listed[1]
    assert any(notice.startswith("1 training row nearly repeating another: ") for notice in audit.notices)


def test_a_nearly_equal_prompt_is_a_leak(tmp_path: Path, model: Path) -> None:
    heldout = write(tmp_path / "h.jsonl", [pair("x"), pair(NEARLY[1]), pair(NEARLY[2])])
    with pytest.raises(StageError, match="1 held-out prompts leak") as caught:
        prepared(tmp_path, spec_of(tmp_path, [pair("a"), pair(NEARLY[0])], heldout=heldout), model)
    assert re.search(r"h.jsonl:2 is nearly the prompt of \S*rows.jsonl:2", str(caught.value))


def test_a_nearly_equal_prompt_that_was_split_off_is_dropped(tmp_path: Path, model: Path) -> None:
    start = "Describe what a considerate gardener understands about persistent weeds every rainy"
    near = [pair(f"{start} {day}") for day in ("monday", "tuesday", "wednesday", "thursday", "friday", "sunday")]
    rows = [*near, *(pair(f"question {n}") for n in range(14))]
    audit = prepared(tmp_path, spec_of(tmp_path, rows, heldout_fraction=0.5), model)
    pairs, _, heldout = rows_of(tmp_path)
    assert any(start in row.messages[0]["content"] for row in pairs)
    assert not any(start in row.messages[0]["content"] for row in heldout)
    assert audit.leakage.near_prompts + audit.leakage.shared_13_grams == 20 - len(pairs) - len(heldout) > 0


def test_trivial_baselines_of_length(tmp_path: Path, model: Path) -> None:
    heldout = [
        pair("w", "long answer", "short"),
        pair("x", "aa", "bb"),
        pair("y", "a", "bbb"),
        pair("z", "ccc", "d"),
    ]
    spec = spec_of(tmp_path, [pair("a"), pair("b")], heldout=write(tmp_path / "h.jsonl", heldout))
    audit = prepared(tmp_path, spec, model)
    rules = traits_of(tmp_path / "data", [], ROOT, []).baselines
    assert {rule.rule: rule.heldout for rule in rules}["the longer answer"] == (1 + 0.5 + 0 + 1) / 4
    assert audit.heldout_lengths.chosen_characters is not None
    assert audit.heldout_lengths.chosen_tokens is not None
    assert audit.heldout_lengths.chosen_characters.mean == (11 + 2 + 1 + 3) / 4
    assert audit.heldout_lengths.chosen_tokens.longest == 2


def test_a_directory_without_tokenizer_is_a_model_failure(tmp_path: Path) -> None:
    spec = spec_of(tmp_path, [pair(f"question {n}") for n in range(10)])
    with pytest.raises(StageError) as caught:
        prepared(tmp_path, spec, tmp_path / "absent")
    assert caught.value.failure == "model"


def test_derived_labels_alternate_and_neighbours_differ() -> None:
    pairs = [
        Pair(
            id=str(n),
            cluster=str(n),
            messages=[{"role": "user", "content": str(n)}],
            chosen="a",
            rejected="b",
        )
        for n in range(7)
    ]
    rows = derived_labels(pairs)
    assert [row.desirable for row in rows] == [True, False] * 7
    assert {row.id for row in rows} == {f"{n}.{kind}" for n in range(7) for kind in ("chosen", "rejected")}
    assert all(row.cluster != following.cluster for row, following in pairwise(rows))


def test_engine_rows_are_ms_swifts(tmp_path: Path, model: Path) -> None:
    prepared(tmp_path, spec_of(tmp_path, [pair(f"question {n}") for n in range(10)]), model)
    data = tmp_path / "data"
    pairs = read_jsonl(write_training_rows("pairs", data, tmp_path / "work" / "p.jsonl"))
    labels = read_jsonl(write_training_rows("labelled", data, tmp_path / "work" / "l.jsonl"))
    assert (len(pairs), len(labels)) == (8, 16)
    assert pairs[0].keys() == {"id", "messages", "rejected_response"}
    assert pairs[0]["messages"][-1] == {"role": "assistant", "content": "Yes 😊"}
    assert labels[1]["label"] is False
    assert labels[1]["messages"][-1] == {"role": "assistant", "content": "Yes."}
    assert len(written_ids(write_heldout_rows("pairs", data, tmp_path / "h.jsonl"))) == 1
    assert len(written_ids(write_heldout_rows("labelled", data, tmp_path / "k.jsonl"))) == 2


def test_clusters_ignore_case_space_width_and_system_turns() -> None:
    def cluster(text: str, *before: dict[str, str]) -> str:
        return cluster_of([*before, {"role": "user", "content": text}])

    assert cluster("How ARE  you?") == cluster("how are you") == cluster("Ｈow are\nyou？")
    assert cluster("hi", {"role": "system", "content": "Be kind."}) == cluster("hi")
    assert cluster("3 - 2") != cluster("3 + 2")
    assert cluster("🎉") != cluster("😢")
    assert cluster("???") != cluster("")


def test_templates_and_short_prompts_are_no_overlap() -> None:
    template = [f"{LONG} number {n}" for n in range(11)]
    assert overlapping(template, [f"{LONG} other"]) == {}
    assert overlapping(template[:10], [f"{LONG} other"]) == {0: 0}
    assert overlapping(["one two three"], ["one two three"]) == {}
    assert overlapping(["我最近感觉口渴腹部剧痛头晕目眩"], ["因为我最近感觉口渴，腹部剧痛，头晕目眩"]) == {0: 0}


HAN, KANA = "我最近感觉口渴腹部剧痛头晕", "さいきんのどがかわいておな"
THAI = "ช่วยอธิบายวิธีทำอาหารไทยง่ายๆที่บ้านให้หน่อยครับผมนะ"
BURMESE = "ခေါက်ဆွဲကြော်နည်းကိုအသေးစိတ်ရှင်းပြပေးပါခင်ဗျာကျေးဇူး"


@pytest.mark.parametrize(
    ("shared", "overlap"),
    [
        *(
            (text[:length], length == 13)
            for text in (HAN, KANA, HAN.replace("我", "\U00020000"))
            for length in (12, 13)
        ),
        *((text[:length], length == 52) for text in (THAI, BURMESE) for length in (51, 52)),
        *((f"one two {THAI[:length]}", length == 44) for length in (43, 44)),
    ],
)
def test_scripts_without_spaces_have_words_too(shared: str, overlap: bool) -> None:
    """Whatever stands around the shared words, with no space between."""
    before, after = ("so ", "ก") if " " in shared else ("说", "写")
    found = overlapping([f"{before}{shared}{after}"], [f"{before * 3}x {shared}ข"])
    assert found == ({0: 0} if overlap else {})


def test_halves_differ_by_one_and_need_two() -> None:
    clusters = [f"{n:012x}" for n in range(11)]
    assert sorted(Counter(halves_of(clusters).values()).values()) == [5, 6]
    assert len(held_out_clusters(clusters, 0.01)) == 2
    with pytest.raises(StageError):
        held_out_clusters(clusters, 0.99)


def test_ids_are_content_and_occurrence(tmp_path: Path) -> None:
    from prefsweep.formats import Example

    rows = [Example(1, [], answer="a"), Example(2, [], answer="b"), Example(3, [], answer="a")]
    ids = list(row_ids(rows))
    assert [repeated for _, repeated in ids] == [False, False, True]
    assert len({name for name, _ in ids}) == 3
    assert all(len(name) == 12 for name, _ in ids)


def test_real_conversations_of_several_turns(tmp_path: Path, model: Path) -> None:
    """300 real preference conversations, converted to messages + rejected_response."""
    if not REAL_DATA.exists():
        pytest.skip(f"{REAL_DATA.name} is not beside the project")
    roles = {"human": "user", "gpt": "assistant", "system": "system"}
    rows = []
    for row in json.loads(REAL_DATA.read_text()):
        turns = [{"role": roles[turn["from"]], "content": turn["value"]} for turn in row["conversations"]]
        answer = {"role": "assistant", "content": row["chosen"]["value"]}
        rows.append({"messages": [*turns, answer], "rejected_response": row["rejected"]["value"]})
    audit = prepared(tmp_path, spec_of(tmp_path, rows), model, max_length=4096)
    pairs, labels, heldout = rows_of(tmp_path)
    assert len(pairs) + len(heldout) + sum(audit.heldout_dropped.values()) == 300
    assert len(labels) == 2 * len(pairs)
    assert max(len(row.messages) for row in pairs) > 5


def plan_of(revision: str, model: Path) -> Plan:
    """The least plan that names this data."""
    return Plan(
        study="tiny",
        device="cpu",
        primary_metric="preference_accuracy",
        seeds=[0],
        smallest_effect=0.0,
        model=PlannedModel(
            name="m",
            directory=str(model),
            model_type="llama",
            template="chatml",
            revision="r",
            source="s",
            licence=None,
        ),
        data=PlannedData(
            name="rows", source="s", revision=revision, licence=None, synthetic=True, rows=8, heldout_rows=2
        ),
        generate=GenerateSettings(
            max_tokens=1, temperature=0, concurrency=[1], repeats=1, timed_tokens=2, timed_requests=1
        ),
        tasks=[],
        points=[],
        runs=[],
        notices=[],
    )


def run_script(folder: Path, model: Path, spec: DatasetSpec, revision: str) -> subprocess.CompletedProcess[str]:
    plan_of(revision, model).write(folder / "plan.json")
    return subprocess.run(
        [
            *(sys.executable, ROOT / "scripts" / "prepare.py", "--plan", folder / "plan.json"),
            *("--dataset", json.dumps({"path": str(spec.path)})),
            *("--max-length", "100", "--downloads", folder / "downloads", "--output", folder / "data"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_script_prepares_what_was_planned_and_nothing_else(tmp_path: Path, model: Path) -> None:
    spec = spec_of(tmp_path, [pair(f"question {n}") for n in range(10)])
    refused = run_script(tmp_path, model, spec, "sha256:other")
    failure = Failure.read(tmp_path / "data" / "failure-prepare.json")
    assert refused.returncode == 1
    assert (failure.failure, failure.stage) == ("data", "prepare")
    assert "has changed since the study was planned" in failure.message
    assert not (tmp_path / "data" / "data.json").exists()
    done = run_script(tmp_path, model, spec, source_revision(spec))
    assert done.returncode == 0, done.stderr
    assert "rows.jsonl: read as ms-swift messages + rejected_response, 10 rows" in done.stderr
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == [
        "data.json",
        "heldout.jsonl",
        "labelled.jsonl",
        "pairs.jsonl",
    ]
