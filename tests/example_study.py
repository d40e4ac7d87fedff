"""A results folder with made-up numbers, built from the real records: for tests, never for a report."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prefsweep.failures import Failure
from prefsweep.files import sha256_of, write_json, write_jsonl
from prefsweep.plan import (
    BASE,
    Estimate,
    GenerateSettings,
    Plan,
    PlannedData,
    PlannedModel,
    Point,
    Run,
    run_directory,
)
from prefsweep.records.audit import (
    OVERLAPPING,
    TOO_LONG,
    AnswerLengths,
    DataAudit,
    DuplicateRows,
    HalfCount,
    Leakage,
    Lengths,
)
from prefsweep.records.base import FileHash, hashed_files
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.drift import AnswerDrift, DriftRecord
from prefsweep.records.measure import (
    Evaluation,
    Generation,
    PairScore,
    Percentiles,
    TaskConditions,
    TaskDocuments,
    Throughput,
    TimedPass,
)
from prefsweep.records.merge import MergeRecord, Probe
from prefsweep.records.train import TrainRecord, TrainStep
from prefsweep.records.traits import BaselineAccuracy, BenchmarkDocuments, DataTraits, Languages
from prefsweep.task_settings import TaskSettings

METHODS = ("dpo", "orpo", "simpo", "kto", "cpo")
_SETTINGS: dict[str, dict[str, Any]] = {
    "dpo": {"beta": 0.1},
    "orpo": {"lambda": 0.1},
    "simpo": {"beta": 2.5, "gamma_beta_ratio": 0.5},
    "kto": {"beta": 0.1, "desirable_weight": 1.0, "undesirable_weight": 1.0},
    "cpo": {"beta": 0.1, "alpha": 1.0},
}
_SHARED: dict[str, Any] = {"learning_rate": 2e-4, "lora_rank": 8, "epochs": 1, "micro_batch_size": None}
_STRENGTH = {BASE: 0.0, "dpo": 0.9, "orpo": 0.35, "simpo": 1.1, "kto": 0.6, "cpo": 0.75}
_EMOJI = {BASE: 0, "dpo": 2, "orpo": 3, "simpo": 2, "kto": 1, "cpo": 6}
_VERSIONS = {"python": "3.11.2", "torch": "2.13.0", "ms-swift": "4.6.0", "vllm": "0.32.0"}
_HASH = "0123456789abcdef" * 4
_SENTENCES = (
    "Give it bright light.",
    "Water it when the soil feels dry.",
    "Pinch the tips to branch it.",
    "Turn the pot once a week.",
    "Keep it away from cold draughts.",
)


@dataclass(frozen=True)
class Shape:
    """What the made-up study looks like."""

    methods: tuple[str, ...] = METHODS
    seeds: tuple[int, ...] = (0,)
    variants: int = 1
    """Learning rates of each method."""
    knobs: int = 1
    """Values of each method's first own setting; every one is tried at every learning rate."""
    heldout: int = 64
    showcase: int = 4
    steps: int = 36
    failed: tuple[str, ...] = ()
    """Methods whose runs failed while training."""
    unfinished: tuple[str, ...] = ()
    """Methods (or base) whose runs have left nothing yet."""
    speed_noise: float = 0.006
    """Standard deviation of a timed pass's speed, as a share of it."""
    sentences: tuple[str, ...] = _SENTENCES
    """Every answer is two to five of them."""
    text: Callable[[str], str] = field(default=lambda text: text)
    """Applied to every piece of free text: prompts, answers, labels, names and messages."""


def build_study(directory: Path, shape: Shape | None = None) -> Path:
    """Write a study's results folder below `directory`, the same for the same shape; returns the folder."""
    shape = shape or Shape()
    plan = _plan(shape)
    folder = directory / plan.study
    prompts = _prompts(shape)
    plan.write(folder / "plan.json")
    write_jsonl(folder / "data" / "heldout.jsonl", (prompt.model_dump() for prompt in prompts))
    audit = _audit(shape)
    files = [*audit.files, *hashed_files(folder / "data")]
    audit.model_copy(update={"files": files}).write(folder / "data" / "data.json")
    _traits(shape).write(folder / "data" / "traits.json")
    for run in plan.runs:
        method = plan.point_of(run.id).method
        if method in shape.failed:
            _failed_run(folder, run, shape)
        elif method not in shape.unfinished:
            _finished_run(folder, run, plan.point_of(run.id), prompts, shape)
    return folder


def _plan(shape: Shape) -> Plan:
    points = [_point(BASE, 0, shape)]
    tried = range(shape.variants * shape.knobs)
    points += [_point(method, variant, shape) for method in shape.methods for variant in tried]
    estimate = Estimate(steps=shape.steps, sequences=288, seconds=60.0, disk_bytes=1 << 28)
    runs = [
        Run(id=f"{point.id}/seed-{seed}", point=point.id, seed=seed, estimate=estimate)
        for point in points
        for seed in (shape.seeds if point.method != BASE else shape.seeds[:1])
    ]
    text = shape.text
    return Plan(
        study="example",
        device="cpu",
        primary_metric="preference_accuracy",
        seeds=list(shape.seeds),
        smallest_effect=0.02,
        model=PlannedModel(
            name=text("smollm2-135m-instruct"), directory="models/smollm2-135m-instruct", model_type="llama",
            template="chatml", revision=_HASH, source=text("a wheel"), licence="Apache-2.0",
        ),
        data=PlannedData(
            name=text("emoji-en"), source=text("data/emoji-en.jsonl"), revision=_HASH, licence="Apache-2.0",
            synthetic=True, rows=160, heldout_rows=shape.heldout,
        ),
        generate=GenerateSettings(
            max_tokens=128, temperature=0.0, concurrency=[1, 8], repeats=3, timed_tokens=64, timed_requests=8
        ),
        tasks=[
            TaskSettings(name="preference-accuracy"),
            TaskSettings(name="held-out-perplexity"),
            TaskSettings(name="arc_easy", limit=60),
        ],
        kl_from_base=True,
        points=points,
        runs=runs,
        notices=[text("Every method is run at one setting only.")],
    )  # fmt: skip


def _point(method: str, variant: int, shape: Shape) -> Point:
    if method == BASE:
        return Point(
            id=f"{BASE}-00000000",
            method=BASE,
            label=BASE,
            settings={},
            objective=shape.text("none: not trained"),
        )
    times, rate = divmod(variant, shape.variants)
    knob, least = next(iter(_SETTINGS[method].items()))
    value = least * (1 + times)
    settings = _SETTINGS[method] | _SHARED | {knob: value, "learning_rate": 2e-4 * (1 + rate)}
    return Point(
        id=f"{method}-{variant:08x}",
        method=method,
        label=shape.text(f"{method} {knob}={value:g} lr={settings['learning_rate']:g}"),
        settings=settings,
        objective=shape.text("−log σ(0.1·[(log π(w) − log π₀(w)) − (log π(l) − log π₀(l))])"),
    )


def _prompts(shape: Shape) -> list[HeldOutPrompt]:
    asked = ("How do I keep basil alive?", "What is a good walk after rain?", "Why is my bread flat?")
    text = shape.text

    def prompt(index: int, showcase: bool) -> HeldOutPrompt:
        return HeldOutPrompt(
            id=f"{'s' if showcase else 'h'}{index:04d}",
            cluster=f"{'s' if showcase else 'h'}{index:04d}",
            part="showcase" if showcase else "heldout",
            half=None if showcase else ("development", "test")[index % 2],
            messages=[{"role": "user", "content": text(f"{asked[index % 3]} (case {index})")}],
            chosen=None if showcase else text("Give it sun and a sip of water every morning! 🌿☀️"),
            rejected=None if showcase else text("Place it in sunlight and water it daily."),
        )

    return [prompt(i, True) for i in range(shape.showcase)] + [prompt(i, False) for i in range(shape.heldout)]


def _audit(shape: Shape) -> DataAudit:
    text = shape.text
    length = Lengths(mean=151.2, p5=61, p25=102, p50=148, p75=190, p95=252, p99=280, longest=301)
    shorter = length.model_copy(update={"p50": 101.0, "p25": 80.0})
    lengths = AnswerLengths(
        chosen_characters=length, rejected_characters=shorter, chosen_tokens=length, rejected_tokens=shorter
    )
    return DataAudit(
        name=text("emoji-en"), source=text("data/emoji-en.jsonl"), revision=_HASH, licence="Apache-2.0", synthetic=True,
        content="pairs", formats=[text("pairs.jsonl: read as messages + rejected_response")],
        dropped={text("equal answers"): 6}, max_length=512, row_tokens=length, training_rows_in=168, training_rows=160,
        training_dropped={text(TOO_LONG): 8}, training_prompts=155, desirable_rows=160, undesirable_rows=160,
        heldout_rows_in=shape.heldout + 1, heldout_rows=shape.heldout, heldout_dropped={OVERLAPPING: 1},
        heldout_joined_prompts=0,
        halves={
            "development": HalfCount(rows=-(-shape.heldout // 2), prompts=-(-shape.heldout // 2)),
            "test": HalfCount(rows=shape.heldout // 2, prompts=shape.heldout // 2),
        },
        showcase_prompts=shape.showcase,
        duplicates=DuplicateRows(
            policy="keep", exact_rows=1, near_rows=1, listed=[text("pairs.jsonl:7 repeats an earlier row")]
        ),
        leakage=Leakage(same_prompt=0, shared_13_grams=1, near_prompts=0, showcase_in_training=0),
        training_lengths=lengths, heldout_lengths=lengths,
        files=[FileHash(name=text("pairs.jsonl"), bytes=41210, sha256=_HASH)],
        tokenizer_sha256=_HASH, chat_template_sha256=_HASH,
        notices=[text("1 training row repeating an earlier one exactly: kept")],
    )  # fmt: skip


def _traits(shape: Shape) -> DataTraits:
    rules = {"the longer answer": 0.99, "more emoji": 0.74, "fewer emoji": 0.26, "the shorter answer": 0.22}
    return DataTraits(
        languages=Languages(
            sampled_rows=160, prompts={"en": 158, "und": 2}, chosen={"en": 150, "de": 10}, rejected={"en": 160}
        ),
        baselines=[BaselineAccuracy(rule=shape.text(name), heldout=share, test=share) for name, share in rules.items()],
        benchmarks=BenchmarkDocuments(
            files=[FileHash(name=shape.text("benchmarks/own.jsonl"), bytes=812, sha256=_HASH)],
            documents=12,
            overlaps=0,
            listed=[],
            not_compared=[shape.text("truthfulqa_mc2")],
        ),
        balances=[],
        notices=[shape.text("“the longer answer” alone picks the chosen answer of 99 % of the held-out pairs")],
    )


def _finished_run(folder: Path, run: Run, point: Point, prompts: Sequence[HeldOutPrompt], shape: Shape) -> None:
    from prefsweep.metrics import score_run  # here, because stub engines import this module and never score

    chance = random.Random(f"{run.id}")
    directory = run_directory(folder, run.id)
    write_json(
        directory / "run.json",
        {
            "run": run.id,
            "argv": ["swift", "rlhf", shape.text("--beta")],
            "versions": _VERSIONS,
            "seed": run.seed,
        },
    )
    if point.method != BASE:
        train_record(run, point, chance, shape).write(directory / "train.json")
    merge_record(run, point).write(directory / "merge.json")
    throughput(run, chance, shape.speed_noise).write(directory / "throughput.json")
    generations = [generation(prompt, point.method, chance, shape) for prompt in prompts]
    write_jsonl(directory / "generations.jsonl", (row.model_dump() for row in generations))
    if point.method != BASE:
        base = f"{BASE}-00000000/seed-{shape.seeds[0]}"
        write_drift(directory, run, point, base, generations, random.Random(f"drift {run.id}"))
    evaluated = evaluation(run, point, prompts, chance)
    evaluated.write(directory / "evaluation.json")
    score_run(prompts, generations, evaluated).write(directory / "scores.json")


def _failed_run(folder: Path, run: Run, shape: Shape) -> None:
    Failure(
        run=run.id,
        stage="train",
        failure="nan",
        message=shape.text("the loss was not finite at step 7"),
        remedy="Lower the learning rate, or train in float32.",
        last_lines=[shape.text("step 6 loss 11.3"), shape.text("step 7 loss nan")],
    ).write(run_directory(folder, run.id) / "failure-train.json")


def train_record(run: Run, point: Point, chance: random.Random, shape: Shape) -> TrainRecord:
    start = {"dpo": math.log(2), "kto": 0.5}.get(point.method, 2.2)
    history = [_train_step(step, start, point.method, chance, shape.steps) for step in range(1, shape.steps + 1)]
    return TrainRecord(
        run=run.id, argv=["swift", "rlhf"],
        adapter=[FileHash(name="adapter.safetensors", bytes=9, sha256=_HASH)],
        adapter_norm=1.5, trainable_parameters=2_442_240, rows=144, expected_rows=144, row_ids_sha256=_HASH,
        steps=shape.steps,
        expected_steps=shape.steps, sequences=288, tokens=24_000, expected_first_loss=None, history=history,
        train_seconds=58.0 + 40 * (point.method in ("dpo", "kto")) + chance.random(), total_seconds=101.5,
        peak_memory_bytes=1_900_000_000, memory_kind="resident", versions=_VERSIONS,
    )  # fmt: skip


def _train_step(step: int, start: float, method: str, chance: random.Random, steps: int) -> TrainStep:
    share = step / steps
    margin = _STRENGTH[method] * (1 - math.exp(-3 * share)) * 2 + chance.gauss(0, 0.08)
    return TrainStep(
        step=step, epoch=share, loss=start * math.exp(-1.4 * share) + chance.gauss(0, 0.03) + 0.05,
        grad_norm=1.0, learning_rate=2e-4 * (1 - share), reward_margin=margin,
        reward_accuracy=None if method == "kto" else min(1.0, 0.5 + 0.5 * share + chance.gauss(0, 0.03)),
        chosen_reward=margin / 2, rejected_reward=-margin / 2, chosen_log_prob=-40.0, rejected_log_prob=-60.0,
        kl=max(0.0, chance.gauss(1, 0.5)) if method == "kto" else None, seconds=1.5,
    )  # fmt: skip


def merge_record(run: Run, point: Point) -> MergeRecord:
    trained = point.method != BASE
    return MergeRecord(
        run=run.id, argv=["swift", "export"],
        model=[FileHash(name="model.safetensors", bytes=9, sha256=_HASH)],
        parity_max_abs_logit_difference=3e-6 if trained else None, parity_bound=1e-5,
        change_max_abs_logit_difference=2.5 if trained else None,
        probes=[
            Probe(prompt="h0000", token_ids=[1, 2], answer_tokens=1, log_probs=[-3.0])
        ],
        rendered=[], eos_token_ids=[2], pad_token_id=2,
        chat_template_sha256=_HASH, total_seconds=21.0, peak_memory_bytes=1_200_000_000, versions=_VERSIONS,
    )  # fmt: skip


def throughput(run: Run, chance: random.Random, noise: float = Shape.speed_noise) -> Throughput:
    def latency(middle: float) -> Percentiles:
        return Percentiles(mean_seconds=middle, p50_seconds=middle, p95_seconds=middle * 1.3, p99_seconds=middle * 1.5)

    passes = [
        TimedPass(
            concurrency=concurrency, repeat=repeat, requests=8, output_tokens=512,
            wall_seconds=512 / ((22 if concurrency == 1 else 91) * (1 + chance.gauss(0, noise))),
            client_seconds=0.02, other_cpu_share=0.004 * repeat,
            ttft=latency(0.11 * concurrency**0.5), tpot=latency(0.04), itl=latency(0.04), e2e=latency(2.6),
            request_ttft_seconds=[0.1 * concurrency**0.5 + 0.01 * request for request in range(8)],
            request_e2e_seconds=[2.5 + 0.1 * concurrency**0.5 + 0.02 * request for request in range(8)],
        )
        for concurrency in (1, 8)
        for repeat in range(3)
    ]  # fmt: skip
    return Throughput(
        run=run.id, passes=passes, output_tokens_per_request=64, warm_up_requests=2, prefix_caching=False,
        server_argv=["vllm", "serve", ".", "--served-model-name", run.id, "--enforce-eager", "--dtype", "bfloat16"],
        server_environment={"HF_HUB_OFFLINE": "1"}, hardware={"cores": "2"}, ready_seconds=58.0,
        natural_wall_seconds=40.0,
        natural_answers=50, natural_cut_answers=5, natural_output_tokens=4000 + chance.randint(0, 400),
        natural_concurrency=8, total_seconds=160.0,
        peak_memory_bytes=3_100_000_000,
        versions=_VERSIONS,
    )  # fmt: skip


def generation(prompt: HeldOutPrompt, method: str, chance: random.Random, shape: Shape) -> Generation:
    emoji = "".join(chance.choice("🌿✨😊💧☀") for _ in range(chance.randint(0, 2) + _EMOJI[method] - 1))
    answer = " ".join(chance.sample(shape.sentences, chance.randint(2, 5))) + (f" {emoji}" if emoji else "")
    if method == "cpo" and chance.random() < 0.5:
        answer += " So sunny and so green" * 4
    return Generation(
        prompt=prompt.id, part=prompt.part, answer=shape.text(answer),
        finish_reason="length" if method == "cpo" and chance.random() < 0.4 else "stop",
        prompt_tokens=30, output_tokens=len(answer) // 4, seconds=1.0,
    )  # fmt: skip


def write_drift(
    directory: Path, run: Run, point: Point, opponent: str, generations: Sequence[Generation], chance: random.Random
) -> None:
    """`drift.jsonl` and `drift.json`: further away the stronger a method is."""
    strength = _STRENGTH[point.method]
    answers = [
        AnswerDrift(
            prompt=row.prompt,
            positions=row.output_tokens,
            kl_nats=row.output_tokens * strength * (0.2 + 0.1 * chance.random()),
            log_ratio_nats=row.output_tokens * strength * (0.3 + 0.2 * chance.random()),
        )
        for row in generations
    ]
    write_jsonl(directory / "drift.jsonl", (answer.model_dump() for answer in answers))
    DriftRecord(
        run=run.id, opponent=opponent,
        generations_sha256=sha256_of(directory / "generations.jsonl"), answers=len(answers), recoded_answers=1,
        ready_seconds=11.0, total_seconds=31.0, peak_memory_bytes=1_700_000_000, versions=_VERSIONS,
    ).write(directory / "drift.json")  # fmt: skip


def evaluation(run: Run, point: Point, prompts: Iterable[HeldOutPrompt], chance: random.Random) -> Evaluation:
    taste = random.Random("prompts")
    strength = _STRENGTH[point.method] * 9
    pairs = [
        PairScore(
            prompt=prompt.id, chosen_log_prob=-60 + strength + taste.gauss(-4, 8) + chance.gauss(0, 2),
            rejected_log_prob=-60.0, chosen_characters=52, rejected_characters=41,
        )
        for prompt in prompts
        if prompt.part == "heldout"
    ]  # fmt: skip
    return Evaluation(
        run=run.id, pairs=pairs,
        tasks={"preference-accuracy": {"acc": 0.7, "acc_norm": 0.65},
               "held-out-perplexity": {"word_perplexity": 31.0}},
        documents={"held-out-perplexity": _task_documents(0.0, heldout=True),
                   "arc_easy": _task_documents(_STRENGTH[point.method], heldout=False)},
        task_versions={"preference-accuracy": "1"}, total_seconds=32.0, versions=_VERSIONS,
    )  # fmt: skip


def _task_documents(strength: float, *, heldout: bool) -> TaskDocuments:
    """Right answers that become fewer, and surprise that grows, with a method's strength."""
    difficulty = random.Random("documents")
    ability = [difficulty.random() for _ in range(60)]
    return TaskDocuments(
        conditions=TaskConditions(limit=60, num_fewshot=5, apply_chat_template=False),
        heldout=heldout,
        ids=[str(number) for number in range(60)],
        contents=[f"{number:016x}" for number in range(60)],
        values={
            "acc": [float(one > 0.4 + 0.4 * (strength > 1)) for one in ability],
            "bits_per_byte": [2 + one * (1 + strength / 20) for one in ability],
        },
        higher_is_better={"acc": True, "bits_per_byte": False},
    )
