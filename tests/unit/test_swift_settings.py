"""What ms-swift is told: pure objectives, parity between methods, and the original experiment one by one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefsweep.engine_arguments import engine_model
from prefsweep.methods import load_methods
from prefsweep.plan import Device
from prefsweep.settings import TrainSettings
from prefsweep.study import load_study
from prefsweep.study_problems import keys_at
from prefsweep.sweep import Inputs, expand
from prefsweep.swift_settings import as_arguments, check_batches, expected_steps, rows_per_step, swift_settings

ROOT = Path(__file__).resolve().parents[2]
METHODS = load_methods(ROOT / "config" / "methods")
TRAIN: dict[str, Any] = TrainSettings().model_dump()


def engine(method: str, device: Device = "cuda", **knobs: Any) -> dict[str, Any]:
    defaults = {name: knob.default for name, knob in METHODS[method].knobs.items()}
    return swift_settings(
        METHODS[method],
        TRAIN | defaults | knobs,
        seed=7,
        model=Path("/model"),
        model_type="llama",
        template="chatml",
        rows=Path("/rows.jsonl"),
        heldout=Path("/heldout.jsonl"),
        output=Path("/out"),
        tracking=Path("/run/tracking"),
        device=device,
    )


@pytest.mark.parametrize(
    ("method", "knobs", "flags"),
    [
        ("dpo", {"beta": 0.3}, {"rlhf_type": "dpo", "beta": 0.3}),
        ("orpo", {"lambda": 0.2}, {"rlhf_type": "orpo", "beta": 0.2}),
        ("cpo", {"beta": 0.3, "alpha": 0.5}, {"rlhf_type": "cpo", "beta": 0.3, "cpo_alpha": 0.5}),
        (
            "simpo",
            {"beta": 2.5, "gamma_beta_ratio": 0.4},
            {"rlhf_type": "simpo", "beta": 2.5, "simpo_gamma": 1.0, "cpo_alpha": 0},
        ),
        (
            "kto",
            {"beta": 0.3},
            {"rlhf_type": "kto", "beta": 0.3, "desirable_weight": 1.0, "undesirable_weight": 1.0},
        ),
        ("robust_dpo", {"label_smoothing": 0.2}, {"rlhf_type": "dpo", "loss_type": "robust", "label_smoothing": 0.2}),
        (
            "cpo_simpo",
            {"gamma_beta_ratio": 0.5, "alpha": 0.3},
            {"rlhf_type": "simpo", "simpo_gamma": 5.0, "cpo_alpha": 0.3},
        ),
    ],
)
def test_objectives_are_what_their_papers_say(method: str, knobs: dict[str, Any], flags: dict[str, Any]) -> None:
    found = engine(method, **knobs)
    assert {name: found[name] for name in flags} == flags
    deciding = {"rpo_alpha", "ref_model", "loss_type", "loss_weights", "label_smoothing", "ld_alpha"}
    assert deciding & found.keys() == deciding & flags.keys()


@pytest.mark.parametrize("method", METHODS)
def test_defaults_that_make_methods_differ_are_set(method: str) -> None:
    found = engine(method)
    expected = {"add_version": False, "strict": True, "seed": 7, "data_seed": 7, "loss_scale": "last_round"}
    expected |= {
        "split_dataset_ratio": 0,
        "check_model": False,
        "report_to": ["tensorboard"],
        "logging_dir": "/run/tracking/tensorboard",
    }
    assert {name: found[name] for name in expected} == expected


def test_only_ktos_mismatched_answers_may_be_cut() -> None:
    found = {method: engine(method)["truncation_strategy"] for method in METHODS}
    assert {found.pop("kto"), found.pop("apo_zero_unpaired")} == {"right"}
    assert set(found.values()) == {"delete"}


@pytest.mark.parametrize(("batch", "micro", "rows"), [(16, 1, 2), (3, 1, 3), (16, 4, 4), (1, None, 1)])
def test_a_loss_that_compares_rows_gets_several_in_a_forward_pass(batch: int, micro: int | None, rows: int) -> None:
    found = engine("aot", batch_size=batch, micro_batch_size=micro)
    assert found["per_device_train_batch_size"] == rows
    assert rows * found["gradient_accumulation_steps"] == batch


def test_what_a_study_passes_on_comes_last() -> None:
    found = engine(
        "dpo", engine={"optim": "adafactor", "report_to": ["wandb"], "lr_scheduler_kwargs": {"min_lr": 1e-6}}
    )
    assert found["optim"] == "adafactor"
    assert found["report_to"] == ["wandb"]
    assert as_arguments(found)[-2:] == ["--lr_scheduler_kwargs", '{"min_lr": 1e-06}']


def test_swanlab_stays_on_this_machine_unless_told_otherwise() -> None:
    assert engine("dpo", engine={"report_to": ["swanlab"]})["swanlab_mode"] == "local"
    assert engine("dpo", engine={"report_to": ["swanlab"], "swanlab_mode": "cloud"})["swanlab_mode"] == "cloud"


def test_no_setting_of_ours_can_be_passed_on() -> None:
    free = set(keys_at(engine_model(METHODS), ()))
    replaceable = {"target_modules", "dataset_num_proc", "dataloader_num_workers", "report_to"}
    found = {flag for method in METHODS for flag in engine(method, gpus=2, deepspeed="zero2", eval_steps=5)}
    assert found & free == replaceable


def test_kto_sees_as_many_sequences_and_steps_as_the_others() -> None:
    pairs, labelled = (
        engine("dpo", batch_size=16, micro_batch_size=2),
        engine("kto", batch_size=16, micro_batch_size=2),
    )
    rows = [found["per_device_train_batch_size"] * found["gradient_accumulation_steps"] for found in (pairs, labelled)]
    assert rows == [16, 32]
    assert labelled["per_device_train_batch_size"] >= 4


@settings(deadline=None)  # on a busy machine an example takes long
@given(pairs=st.integers(1, 5000), batch=st.integers(1, 512), epochs=st.integers(1, 5))
def test_every_method_makes_the_same_steps_of_the_same_pairs(pairs: int, batch: int, epochs: int) -> None:
    knobs = {"batch_size": batch, "epochs": epochs}
    rows = {"pairs": pairs, "labelled": 2 * pairs}
    steps = {expected_steps(METHODS[name], knobs, rows[method.data]) for name, method in METHODS.items()}
    assert steps == {-(-pairs // batch) * epochs}
    sequences = {
        rows_per_step(METHODS[name], knobs) * (2 if method.data == "pairs" else 1) for name, method in METHODS.items()
    }
    assert sequences == {2 * batch}


def test_a_micro_batch_that_does_not_divide_the_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="micro_batch_size 3 does not divide batch_size 16"):
        check_batches(TRAIN | {"micro_batch_size": 3})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gpus": 3}, "3 GPUs does not divide batch_size 16"),
        ({"gpus": 4, "micro_batch_size": 8}, "4 GPUs × micro_batch_size 8 does not divide batch_size 16"),
        ({"deepspeed": "zero3"}, "deepspeed zero3 divides a run among GPUs; set gpus to 2 or more"),
    ],
)
def test_gpus_that_cannot_share_a_batch_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_batches(TRAIN | settings)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("micro", [None, 2])
def test_a_step_has_the_same_rows_on_any_number_of_gpus(method: str, micro: int | None) -> None:
    rows = set()
    for gpus in (1, 2, 4):
        check_batches(TRAIN | {"gpus": gpus, "micro_batch_size": micro})
        found = engine(method, gpus=gpus, micro_batch_size=micro)
        rows.add(gpus * found["per_device_train_batch_size"] * found["gradient_accumulation_steps"])
    assert rows == {32 if METHODS[method].data == "labelled" else 16}


def test_processes_on_the_cpu_are_told_to_sum_their_gradients() -> None:
    flags = {"use_cpu": True, "ddp_backend": "gloo"}
    assert flags.items() <= engine("dpo", device="cpu", gpus=2).items()
    assert "ddp_backend" not in engine("dpo", device="cpu", gpus=1)
    assert not flags.keys() & engine("dpo", device="cuda", gpus=2).keys()


def test_a_cpu_is_named_so_that_bfloat16_is_not_refused() -> None:
    assert engine("dpo", device="cpu", precision="bfloat16")["use_cpu"] is True


@pytest.mark.parametrize(("precision", "bf16"), [("float32", False), ("bfloat16", True)])
def test_float32_is_not_half_of_it_on_a_gpu(precision: str, bf16: bool) -> None:
    found = engine("dpo", precision=precision)
    assert (found["torch_dtype"], found["bf16"], found["fp16"]) == (precision, bf16, False)


def test_zero_is_passed_through() -> None:
    assert engine("dpo", gpus=2, deepspeed="zero2")["deepspeed"] == "zero2"
    assert "deepspeed" not in engine("dpo", gpus=2)


def test_arguments_are_those_swift_makes_of_its_settings_file() -> None:
    assert as_arguments({"beta": 0.1, "dataset": ["/a", "/b"], "strict": True}) == [
        *("--beta", "0.1", "--dataset", "/a", "/b", "--strict", "True")
    ]


ORIGINAL = {
    "rlhf_type": "dpo",
    "tuner_type": "lora",
    "lora_rank": 8,
    "lora_alpha": 32,
    "target_modules": ["all-linear"],
    "torch_dtype": "bfloat16",
    "num_train_epochs": 1,
    "per_device_train_batch_size": 1,
    "gradient_accumulation_steps": 16,
    "learning_rate": 1e-4,
    "warmup_ratio": 0.05,
    "max_length": 2048,
    "eval_strategy": "steps",
    "eval_steps": 100,
    "save_strategy": "steps",
    "save_steps": 100,
    "save_total_limit": 2,
    "logging_steps": 5,
}


def original() -> dict[str, Any]:
    config = load_study(ROOT / "config" / "qwen2.5-0.5b-emoji.yaml", {}, METHODS)
    point = next(p for p in expand(config, METHODS, Inputs("m", "qwen2_5", "d", "cuda")) if p.method == "dpo")
    return swift_settings(
        METHODS["dpo"],
        point.settings,
        seed=config.seeds[0],
        model=Path("/model"),
        model_type="qwen2",
        template="qwen2_5",
        rows=Path("/rows.jsonl"),
        heldout=Path("/heldout.jsonl"),
        output=Path("/out"),
        tracking=Path("/run/tracking"),
        device="cuda",
    )


@pytest.mark.parametrize(("flag", "value"), ORIGINAL.items())
def test_the_original_experiment_is_reproduced(flag: str, value: Any) -> None:
    assert original()[flag] == value


def test_the_original_prompt_is_shown() -> None:
    dataset = (ROOT / "config" / "datasets" / "shareai-emoji.yaml").read_text()
    assert "我最近感觉口渴，腹部剧痛，头晕目眩，身上热汗如雨。这种情况需要哪些中药来治疗？" in dataset
