"""From study file to plan: what is counted, what is noticed, and what is refused before anything runs."""

import json
import re
from pathlib import Path

import pytest

from prefsweep import planning
from prefsweep.asked import Places
from prefsweep.failures import StageError
from prefsweep.judge_plan import judge_costs
from prefsweep.plan import Plan
from prefsweep.planned_judge import PlannedJudge
from prefsweep.planning import Study, check_still_planned, plan_studies, planned_studies
from prefsweep.study_problems import StudyError
from tests.model_fixtures import edit, write_reward_model
from tests.tokenizer_model import write_tokenizer_model

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    {
        "messages": [{"role": "user", "content": f"question {n}?"}, {"role": "assistant", "content": f"yes {n}"}],
        "rejected_response": f"no {n}",
    }
    for n in range(40)
]
LABELLED = [{"messages": row["messages"], "label": number % 2 == 0} for number, row in enumerate(PAIRS)]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    write_tokenizer_model(tmp_path / "model")
    return Places(root=ROOT, models=tmp_path / "models", downloads=tmp_path / "downloads", results=tmp_path / "results")


def plan(
    places: Places,
    methods: str = "{dpo: }",
    more: str = "",
    rows: list[dict[str, object]] = PAIRS,
    *,
    heldout: bool = True,
) -> Plan:
    directory = places.models.parent
    (directory / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (directory / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS[30:]))
    own = f", heldout: {directory / 'heldout.jsonl'}"
    (directory / "study.yaml").write_text(
        "study: s\n"
        f"model: {{path: {directory / 'model'}, model_type: llama, template: chatml}}\n"
        f"dataset: {{path: {directory / 'rows.jsonl'}{own if heldout else ''}}}\n"
        f"methods: {methods}\n"
        f"device: cpu\n{more}"
    )
    (study,) = plan_studies(directory / "study.yaml", {}, places)
    return study.plan


def test_steps_and_sequences_are_the_same_for_every_method(places: Places) -> None:
    found = plan(places, "{dpo: , kto: , simpo: }", "train: {batch_size: 8, epochs: 2}\n", PAIRS[:30])
    trained = [run.estimate for run in found.runs if not run.id.startswith("base")]
    assert {(estimate.steps, estimate.sequences) for estimate in trained} == {(8, 120)}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("train: {gpus: 3}\n", r"study.yaml:6: train: dpo β=0.1: 3 GPUs does not divide batch_size 16"),
        ("train: {deepspeed: zero3}\n", "deepspeed zero3 divides a run among GPUs; set gpus to 2 or more"),
        ("generate:\n  tensor_parallel: 2\n", r"study.yaml:7: generate.tensor_parallel: .* runs on the CPU; remove it"),
    ],
)
def test_gpus_that_have_nothing_to_share_are_refused(places: Places, more: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        plan(places, more=more, rows=PAIRS[:30])


def test_every_rung_of_every_point_is_planned_with_the_first_seed(places: Places) -> None:
    more = "seeds: [4, 5]\ntrain: {batch_size: 4}\nsearch: {halving: {start: 0.25, rungs: 2}}\n"
    found = plan(places, "{dpo: {beta: [0.1, 0.2]}}", more, PAIRS[:30])
    points = [point.id for point in found.points if point.method == "dpo"]
    assert [run.id for run in found.screening] == [f"{point}/seed-4/rung-{n}" for point in points for n in (1, 2)]
    assert [run.estimate.steps for run in found.screening] == [2, 2] * 2
    assert [found.last_step(run.id, 8) for run in (*found.screening[:2], found.runs[-1])] == [2, 4, 8]


@pytest.mark.parametrize(
    ("train", "message"),
    [
        (
            "{batch_size: 30}",
            r"study.yaml:\d+: search.halving: dpo-\w+ has 1 step, so that its rungs would end at 1 and 1",
        ),
        (
            "{deepspeed: zero2, gpus: 2}",
            r"study.yaml:\d+: search.halving: runs with train.deepspeed cannot be continued",
        ),
    ],
)
def test_rungs_that_cannot_be_are_refused(places: Places, train: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        plan(places, more=f"train: {train}\nsearch: {{halving: {{}}}}\n", rows=PAIRS[:30])


def test_a_method_that_checkpoints_do_not_hold_is_not_screened(places: Places) -> None:
    with pytest.raises(StudyError, match=r"study.yaml:\d+: search.halving: bco_pair cannot be continued at a rung"):
        plan(places, "{bco_pair: }", "train: {batch_size: 2}\nsearch: {halving: {}}\n", PAIRS[:30])


def test_the_base_needs_one_seed_unless_answers_are_sampled(places: Places) -> None:
    def base_seeds(more: str) -> list[int]:
        return [run.seed for run in plan(places, more=more, rows=PAIRS[:30]).runs if run.id.startswith("base")]

    assert base_seeds("seeds: [4, 5]\n") == [4]
    assert base_seeds("seeds: [4, 5]\ngenerate: {temperature: 0.7}\n") == [4, 5]


def test_notices_say_what_weakens_the_comparison(places: Places) -> None:
    notices = plan(places, "{dpo: {beta: [0.1, 0.9]}, kto: }", rows=PAIRS[:30]).notices
    assert any("Unequal tuning budget, points per method: dpo 2, kto 1" in notice for notice in notices)
    assert any("dpo: beta 0.9 is outside the published 0.01–0.5" in notice for notice in notices)


def test_a_space_smaller_than_the_draws_is_noticed(places: Places) -> None:
    methods = "{dpo: {beta: {min: 0.1, max: 0.2}}, kto: {beta: [0.1, 0.2]}}"
    notices = plan(places, methods, "search: {random: 3}\n", PAIRS[:30]).notices
    [notice] = [notice for notice in notices if "its space" in notice]
    assert notice == "kto: its space has 2 points, fewer than the 3 to be drawn: all are tried."
    assert any("Unequal tuning budget, points per method: dpo 3, kto 2" in notice for notice in notices)


def test_labelled_rows_are_for_kto_alone(places: Places) -> None:
    found = plan(places, "{kto: }", rows=LABELLED[:30])
    assert found.data.rows == 30
    assert any("methods other than apo_zero_unpaired and kto are left out" in notice for notice in found.notices)
    assert "preference-accuracy" in [task.name for task in found.tasks]
    with pytest.raises(ValueError, match=r"study.yaml:4: methods: dpo cannot train on this data: .* Keep kto alone"):
        plan(places, "{dpo: , kto: }", rows=LABELLED[:30])


def test_ktos_weights_follow_from_the_labels_unless_the_study_says_otherwise(places: Places) -> None:
    rows = [row | {"label": number % 6 == 0} for number, row in enumerate(LABELLED[:30])]
    [point] = plan(places, "{kto: }", rows=rows).points[1:]
    assert (point.settings["desirable_weight"], point.settings["undesirable_weight"]) == (5.83, 1.0)
    assert "λ_D = 5.83" in point.objective
    found = plan(places, "{kto: {desirable_weight: [1.0, 6.0]}}", rows=rows)
    assert [point.settings["desirable_weight"] for point in found.points[1:]] == [1.0, 6.0]
    [notice] = [notice for notice in found.notices if "λ_D·n_D" in notice]
    assert "is 0.2 with 5 desirable and 25 undesirable rows, outside the published 1–1.33" in notice


def test_pairs_are_balanced_as_they_are(places: Places) -> None:
    found = plan(places, "{kto: {undesirable_weight: [1.0, 2.0]}}", rows=PAIRS[:30])
    assert [point.settings["desirable_weight"] for point in found.points[1:]] == [1.0, 1.0]
    assert sum("λ_D·n_D / (λ_U·n_U) is 0.5 with" in notice for notice in found.notices) == 1


def test_labelled_rows_are_counted_one_by_one(places: Places) -> None:
    estimate = plan(places, "{kto: }", "train: {batch_size: 8}\n", LABELLED[:29]).runs[1].estimate
    assert (estimate.steps, estimate.sequences) == (2, 29)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("", r"study.yaml:1: primary_metric: 'preference_accuracy' \(the default\) needs held-out pairs"),
        (
            "primary_metric: preference_margin\n",
            r"study.yaml:6: primary_metric: 'preference_margin' needs held-out pairs",
        ),
        ("primary_metric: repetitoin\n", r"study.yaml:6: primary_metric: 'repetitoin' .* did you mean 'repetition'"),
        ("primary_metric: words\n", r"study.yaml:6: primary_metric: 'words' cannot say what is better; choose from"),
        (
            "primary_metric: repetition\nevaluate: {tasks: [preference-accuracy]}\n",
            r"study.yaml:7: evaluate.tasks: preference-accuracy compares the answers of held-out pairs",
        ),
    ],
)
def test_without_held_out_pairs_only_answers_are_measured(places: Places, more: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        plan(places, "{kto: }", more, LABELLED, heldout=False)


@pytest.mark.parametrize(
    ("wants", "expected"),
    [
        ("emojis", r"study.yaml:6: wants: 'emojis' is no metric of answers; did you mean 'emoji'"),
        ("preference_margin", r"study.yaml:6: wants: 'preference_margin' is no metric of answers; choose from: emoji"),
    ],
)
def test_what_is_wanted_must_be_a_metric_of_answers(places: Places, wants: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        plan(places, "{dpo: }", f"wants: [{wants}]\n", PAIRS[:30])


def test_a_study_without_held_out_pairs_says_what_it_leaves_out(places: Places) -> None:
    found = plan(places, "{kto: }", "primary_metric: repetition\n", LABELLED, heldout=False)
    left = [task.name for task in found.tasks]
    assert left == ["held-out-perplexity", "general-perplexity", "reasoning-choices", "reasoning-answers"]
    assert any(notice.startswith("No held-out pairs: preference accuracy") for notice in found.notices)
    assert (found.data.rows, found.data.heldout_rows) == (32, 8)


def test_data_seen_only_after_fetching_must_not_change_the_plan(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a hub's data set: planned unseen, then fetched with labels that ask for weights."""
    file = places.models.parent / "study.yaml"
    rows = [row | {"label": number % 6 == 0} for number, row in enumerate(LABELLED[:30])]
    plan(places, "{kto: }", rows=rows)
    with monkeypatch.context() as unseen:
        unseen.setattr(planning, "check_once", lambda *_: None)
        studies = plan_studies(file, {}, places)
    assert studies[0].plan.points[1].settings["desirable_weight"] == 1.0
    with pytest.raises(StageError, match="has been fetched and changes what is planned") as caught:
        check_still_planned(studies, file, {}, places)
    assert "Run the same command again" in caught.value.remedy
    check_still_planned(plan_studies(file, {}, places), file, {}, places)


def test_a_copy_of_a_plan_finds_its_own_runs(places: Places) -> None:
    found = plan(places, rows=PAIRS[:30])
    assert found.run(found.runs[1].id) == found.runs[1]
    without = found.model_copy(update={"runs": found.runs[:1]})
    assert list(without.runs_by_id) == [found.runs[0].id]
    with pytest.raises(KeyError):
        without.run(found.runs[1].id)


def test_a_plan_reads_back_and_its_digest_ignores_estimates(places: Places, tmp_path: Path) -> None:
    found = plan(places, rows=PAIRS[:30])
    found.write(tmp_path / "plan.json")
    assert Plan.read(tmp_path / "plan.json") == found
    run = found.runs[1]
    slower = run.model_copy(update={"estimate": run.estimate.model_copy(update={"seconds": 99.0})})
    assert found.model_copy(update={"runs": [found.runs[0], slower]}).digest() == found.digest()
    assert found.model_copy(update={"seeds": [9]}).digest() != found.digest()


def test_a_job_on_another_machine_keeps_the_device_that_was_planned(places: Places, tmp_path: Path) -> None:
    planned = plan(places, rows=PAIRS[:30]).model_copy(update={"device": "cuda"})
    with pytest.raises(StageError, match=r"plan\.json is not on this machine"):
        planned_studies(tmp_path / "study.yaml", {}, places)
    planned.write(places.results / planned.study / "plan.json")
    assert [study.plan for study in planned_studies(tmp_path / "study.yaml", {}, places)] == [planned]


def test_training_on_held_out_prompts_is_refused(places: Places) -> None:
    with pytest.raises(Exception, match="leak"):
        plan(places, rows=PAIRS)


def several(places: Places, model: str, dataset: str, more: str = "") -> list[Study]:
    """A study file that lists what it is about."""
    plan(places, rows=PAIRS[:30])
    file = places.models.parent / "several.yaml"
    file.write_text(f"study: s\nmodel: {model}\ndataset: {dataset}\nmethods: {{dpo: }}\ndevice: cpu\n{more}")
    return plan_studies(file, {}, places)


def described(places: Places, name: str) -> str:
    return f"{{name: {name}, path: {places.models.parent / 'model'}, model_type: llama, template: chatml}}"


def test_every_model_on_every_data_set_is_a_study_of_its_own(places: Places) -> None:
    models, rows = f"[{described(places, 'a')}, {described(places, 'b')}]", places.models.parent / "rows.jsonl"
    studies = several(places, models, f"[emoji-en, {{name: my-rows, path: {rows}}}]")
    names = ["s/a-on-emoji-en", "s/a-on-my-rows", "s/b-on-emoji-en", "s/b-on-my-rows"]
    assert [study.plan.study for study in studies] == names
    assert [study.config.dataset for study in studies][:2] == ["emoji-en", {"name": "my-rows", "path": str(rows)}]
    assert len({point.id for study in studies for point in study.plan.points}) == 4 * 2
    for study in studies:
        study.plan.write(places.results / study.plan.study / "plan.json")
    kept = planned_studies(places.models.parent / "several.yaml", {}, places)
    assert [study.plan for study in kept] == [study.plan for study in studies]


def test_a_list_of_one_has_its_folder_from_the_beginning(places: Places) -> None:
    (study,) = several(places, described(places, "a"), "[emoji-en]")
    assert study.plan.study == "s/a-on-emoji-en"
    (alone,) = several(places, described(places, "a"), "emoji-en")
    assert alone.plan.study == "s"
    assert [point.id for point in alone.plan.points] == [point.id for point in study.plan.points]


@pytest.mark.parametrize(
    ("model", "dataset", "more", "message"),
    [
        ("[]", "emoji-en", "", r"several.yaml:2: model: "),
        ("[{a}, {a}]", "emoji-en", "", r"several.yaml:2: model: a is listed twice"),
        ("{a}", "[emoji-en, emoji-em]", "", r"several.yaml:3: dataset: no data set 'emoji-em'; did you mean"),
        ("{a}", "[emoji-en, {{path: no-such.jsonl}}]", "", r"several.yaml:3: dataset: path: no such file"),
        ("[{a}, {b}]", "emoji-en", "max_runs: 3\n", r"several.yaml:6: max_runs: the study has 4 runs"),
    ],
)
def test_what_is_wrong_with_one_of_several_is_said_at_its_line(
    places: Places, model: str, dataset: str, more: str, message: str
) -> None:
    models = model.format(a=described(places, "a"), b=described(places, "b")) if "{" in model else model
    with pytest.raises(StudyError, match=message):
        several(places, models, dataset.replace("{{", "{").replace("}}", "}"), more)


def test_a_study_that_had_one_model_is_told_how_to_keep_its_runs(places: Places) -> None:
    (alone,) = several(places, described(places, "a"), "emoji-en")
    alone.plan.write(places.results / "s" / "plan.json")
    with pytest.raises(StudyError, match=r"several.yaml:3: dataset: .* keep its runs by `mv .*s/a-on-emoji-en`"):
        several(places, described(places, "a"), "[emoji-en]")


JUDGE = "{url: http://127.0.0.1:1/v1, model: m, max_tokens: 100"


def test_a_judge_is_planned_with_what_it_takes_at_most(places: Places) -> None:
    price = "price: {input: 1.0, output: 2.0, currency: EUR}, max_cost: 0.001, max_requests: 50"
    found = plan(places, "{dpo: , orpo: }", f"seeds: [0, 1]\nevaluate: {{judge: {JUDGE}, {price}}}}}\n", PAIRS[:30])
    assert found.judge is not None
    assert found.judge.template == "config/judges/pairwise.md"
    estimate = found.judge.estimate
    assert estimate is not None
    assert estimate.requests == 2 * 4 * 10, (
        "two orders, two points with two seeds, ten held-out prompts; never the base"
    )
    assert estimate.output_tokens == 80 * 100
    assert estimate.input_tokens > 80 * 2 * 128
    told = " ".join(judge_costs(found.judge))
    assert "judge m at http://127.0.0.1:1/v1: up to 80 requests, at most about 0.0" in told
    assert "EUR" in told
    assert "may reach max_cost 0.001" in told
    assert "may reach max_requests 50" in told
    for rivals, pairs in (("recommended", 2), ("all", 3)):
        more = f"seeds: [0, 1]\nevaluate: {{judge: {JUDGE}, rivals: {rivals}}}}}\n"
        met = plan(places, "{dpo: {beta: [0.1, 0.2]}, orpo: , simpo: }", more, PAIRS[:30]).judge
        assert met is not None
        assert met.estimate is not None
        assert met.estimate.rival_requests == 2 * pairs * 2 * 5
        assert met.estimate.requests == 2 * 4 * 2 * 10 + met.estimate.rival_requests
        assert f" requests ({met.estimate.rival_requests} of them between methods)" in " ".join(judge_costs(met))
    few = plan(places, "{dpo: }", f"evaluate: {{judge: {JUDGE}, prompts: 3}}}}\n", PAIRS[:30])
    assert few.judge is not None
    assert few.judge.estimate is not None
    assert few.judge.estimate.requests == 2 * (3 + 3)


def test_what_decides_verdicts_is_told_from_what_they_take(places: Places) -> None:
    def asked(more: str) -> str:
        judge = plan(places, more=f"evaluate: {{judge: {JUDGE}{more}}}}}\n", rows=PAIRS[:30]).judge
        assert judge is not None
        return judge.asked

    assert asked("") == asked(", rivals: all, concurrency: 2, max_requests: 5, api_key_env: KEY, timeout_seconds: 9.0")
    own = places.models.parent / "own.md"
    own.write_text("{{ conversation }} {{ answer_a }} {{ answer_b }}")
    others = (", temperature: 0.5", ", verdicts: text", ", prompts: 5", f", template: {own}")
    assert len({asked(""), *map(asked, others)}) == 5


def served(folder: Path, more: str = "") -> str:
    """A study's judge that it serves from this folder."""
    return f"evaluate: {{judge: {{serve: {{path: {folder}, model_type: llama, template: chatml}}{more}}}}}\n"


def test_a_judge_that_the_study_serves_is_planned_by_its_content(places: Places) -> None:
    folder = write_tokenizer_model(places.models.parent / "a-judge")

    def planned(more: str) -> PlannedJudge:
        judge = plan(places, more=more, rows=PAIRS[:30]).judge
        assert judge is not None
        return judge

    first = planned(served(folder, ", precision: float32"))
    assert first.served is not None
    assert (first.served.name, first.served.precision, first.served.fetched) == ("a-judge", "float32", False)
    (told,) = judge_costs(first)
    assert re.fullmatch(
        rf"judge a-judge \(path: {folder}\), served by the study in float32: up to 20 requests, "
        r"at most about 0.0\d+ hours \(first guess\)",
        told,
    )
    moved = folder.rename(folder.with_name("elsewhere"))
    same = planned(served(moved, ", precision: float32, concurrency: 2"))
    assert (same.asked, same.identity) == (first.asked, first.identity)
    others = [planned(served(moved)), planned(served(moved, ", max_tokens: 9"))]
    edit(moved / "config.json", hidden_size=64)
    others.append(planned(served(moved, ", precision: float32")))
    assert len({judge.asked for judge in (first, *others)}) == 4
    assert others[1].identity == others[0].identity != first.identity != others[2].identity


def test_a_judge_that_has_to_be_fetched_takes_nobody_knows_how_long(places: Places) -> None:
    more = "evaluate: {judge: {serve: smollm2-135m-instruct}}\n"
    directory = places.models.parent
    found = plan(places, more=more, rows=PAIRS[:30])
    judge = found.judge
    assert judge is not None
    assert judge.served is not None
    assert judge.served.fetched
    assert "hours unknown until the model is fetched" in " ".join(judge_costs(judge))
    once_fetched = found.model_copy(update={"judge": judge.model_copy(update={"estimate": None})})
    assert once_fetched.digest() == found.digest(), "the report does not depend on it"
    (study,) = plan_studies(directory / "study.yaml", {}, places)
    assert [model.name for model in study.models] == ["model", "smollm2-135m-instruct"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("primary_metric: win_rate\n", r"study.yaml:6: primary_metric: 'win_rate' needs somebody .*evaluate.judge"),
        (
            f"primary_metric: win_rate\nevaluate: {{judge: {JUDGE}}}}}\ntrain: {{batch_size: 4}}\n"
            "search: {halving: {rungs: 1}}\n",
            r"study.yaml:9: search.halving: rungs are not judged",
        ),
        (f"evaluate: {{judge: {JUDGE}, max_cost: 1.0}}}}\n", "max_cost needs a `price:`"),
        (f"evaluate: {{judge: {JUDGE}, serve: x}}}}\n", "`url:` and `serve:` are two judges; remove one of them"),
        ("evaluate: {judge: {max_tokens: 9}}\n", r"study.yaml:6: evaluate.judge: who judges is missing; give `url:`"),
        ("evaluate: {judge: {url: 'http://h/v1'}}\n", "`model:` is missing; give the name"),
        (f"evaluate: {{judge: {JUDGE}, precision: float32}}}}\n", "`precision:` does not go with `url:`; remove it"),
        (
            "evaluate: {judge: {serve: x, model: m, api_key_env: K}}\n",
            "`model:`, `api_key_env:` does not go with `serve:`",
        ),
        (
            "evaluate:\n  judge:\n    serve: smollm2\n",
            r"study.yaml:8: evaluate.judge.serve: unknown model 'smollm2'. Did you mean smollm2-135m-instruct",
        ),
        ("evaluate: {judge: {serve: {path: m}}}\n", "evaluate.judge.serve: model_type: is missing"),
    ],
)
def test_a_judge_that_cannot_do_what_is_asked_is_refused(places: Places, more: str, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        plan(places, more=more, rows=PAIRS[:30])


def test_a_reward_model_is_planned_by_its_content(places: Places) -> None:
    folder = write_reward_model(places.models.parent / "rewarder")
    more = f"evaluate: {{reward_model: {{path: {folder}, precision: float32}}}}\nprimary_metric: reward_model_score\n"
    found = plan(places, more=more, rows=PAIRS[:30]).reward_model
    assert found is not None
    assert (found.name, found.settings.precision, len(found.revision)) == ("rewarder", "float32", 64)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            "primary_metric: reward_model_score\n",
            r"study.yaml:6: primary_metric: 'reward_model_score' needs somebody .*evaluate.reward_model",
        ),
        (
            "evaluate: {{reward_model: {{path: {folder}}}}}\nprimary_metric: reward_model_score\n"
            "train: {{batch_size: 4}}\nsearch: {{halving: {{rungs: 1}}}}\n",
            r"study.yaml:9: search.halving: rungs are not scored by a reward model",
        ),
        ("evaluate: {{reward_model: {{pth: x}}}}\n", r"study.yaml:6: .*pth: unknown key; did you mean 'path'"),
    ],
)
def test_a_reward_model_that_cannot_do_what_is_asked_is_refused(places: Places, more: str, message: str) -> None:
    folder = write_reward_model(places.models.parent / "rewarder")
    with pytest.raises(StudyError, match=message):
        plan(places, more=more.format(folder=folder), rows=PAIRS[:30])


def test_a_template_that_is_not_there_is_refused(places: Places) -> None:
    with pytest.raises(StageError, match=r"none.md cannot be used as a judge's template: .*No such file"):
        plan(places, more=f"evaluate: {{judge: {JUDGE}, template: none.md}}}}\n", rows=PAIRS[:30])
