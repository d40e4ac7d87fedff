"""Stands in for the Python of an engine's environment: the same commands, records of the right form, in milliseconds.

Only the workflow's behaviour is tested with it; nothing it writes is ever published. The environment variable
STUB_FAIL names methods whose training fails (STUB_FAIL_RUN one of them, as `method:part of a run's id`), STUB_FAULT
what is wrong with what trained (each as `method:what`), STUB_GREEDY methods whose training takes 1.5 GB of memory,
STUB_SECONDS says how long a training lasts, STUB_STEP_SECONDS how long each of its steps does, on a GPU that nobody
else has then, STUB_HOLD names a file whose end trainings wait for, STUB_DISASTERS (each as `stage:method:what` or
`stage:run:what`) what befalls a stage: it `fills` the disk, `hangs`, is `killed` by the kernel beside its engine, runs
out of `memory`, its engine `dies`, or its loss is `nan`. STUB_FAIL_DRIFT names methods whose distance from the base
cannot be computed, STUB_UNREWARDED one whose answers no reward model can be served for. STUB_JOURNAL is journal.py's.

Every job of hundreds of studies starts this program: what one stage alone needs is imported there.
"""

import json
import os
import random
import signal
import sys
import time
from argparse import ArgumentParser, Namespace
from pathlib import Path

from prefsweep.admission import rung_to_continue
from prefsweep.devices import claimed
from prefsweep.failures import StageError, recorded
from prefsweep.files import published_directory, write_json, write_jsonl
from prefsweep.gates.train import check_training
from prefsweep.plan import BASE, Plan
from prefsweep.prepared import heldout_prompts
from prefsweep.process_group import process_group
from prefsweep.provenance import circumstances
from prefsweep.records.measure import Generation
from prefsweep.stalling import wait_while_alive
from prefsweep.task_index import TaskFacts, TaskIndex
from tests import example_study as example
from tests.example_rewards import reward_record
from tests.journal import note, noted

SHAPE = example.Shape()
FAULTS = {"frozen": {"adapter_norm": 0.0}, "lossy": {"rows": 143}, "short": {"steps": 35}}
"""What the engine would have left; the real gate judges it."""


def main(script: str, arguments: list[str]) -> None:
    parser = ArgumentParser()
    for option in ("plan", "run", "model", "data", "output", "models-dir"):
        parser.add_argument(f"--{option}")
    parser.add_argument("--admitted", type=Path, nargs="?")
    options, _ = parser.parse_known_args(arguments)
    if script == "index_tasks":
        TaskIndex(lm_eval="0.4.13", tasks={"arc_easy": TaskFacts.of({})}, groups={}).write(Path(options.output))
        return
    if script == "fetch":
        from prefsweep.model_store import fetch_model
        from prefsweep.models import load_model_spec

        fetch_model(load_model_spec(json.loads(options.model), Path()), Path(options.models_dir), None)
        return
    directory = Path(options.output)
    note("asked", script, options.run)
    with recorded(options.run, script, directory), noted(script, options.run):
        befall(script, options, directory)
        stages = {"train": train, "merge": merge, "measure": measure, "drift": drift, "reward": reward}
        stages[script](options, directory)
    note("done", script, options.run)


def befall(stage: str, options: Namespace, directory: Path) -> None:
    method = Plan.read(Path(options.plan)).point_of(options.run).method
    disasters = (written.split(":") for written in os.environ.get("STUB_DISASTERS", "").split())
    for what in (what for *place, what in disasters if place in ([stage, method], [stage, options.run])):
        note("struck", stage, options.run, what)
        if what == "fills":
            with published_directory(directory / "adapter") as folder, (folder / "weights").open("wb") as weights:
                while True:
                    weights.write(bytes(1 << 16))
        if what == "nan":
            raise StageError("nan", "step 7: the loss is nan")
        if what == "memory":
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        with process_group(["sleep", "3600"], {}) as engine:
            if what == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if what == "dies":
                engine.kill()
            status = wait_while_alive(engine, "the trainer", directory)
            raise StageError("server_crash", f"the server ended with status {status}")


def train(options: Namespace, directory: Path) -> None:
    plan = Plan.read(Path(options.plan))
    point = plan.point_of(options.run)
    rung_to_continue(options.admitted, point.id, directory, Path(options.plan).parent)
    method, _, part = os.environ.get("STUB_FAIL_RUN", "none:").partition(":")
    failing = [*os.environ.get("STUB_FAIL", "").split(), *([method] if part in options.run else [])]
    if point.method in failing:
        raise StageError("nan", "step 7: the loss is nan")
    write_json(directory / "run.json", circumstances(plan, options.run))
    taken = bytearray(1_500_000_000 if point.method in os.environ.get("STUB_GREEDY", "").split() else 0)
    time.sleep(float(os.environ.get("STUB_SECONDS", "0")))
    if step_seconds := float(os.environ.get("STUB_STEP_SECONDS", "0")):
        with claimed("cuda"):
            time.sleep(step_seconds * (plan.run(options.run).estimate.steps or 0))
    while "STUB_HOLD" in os.environ and Path(os.environ["STUB_HOLD"]).exists():
        time.sleep(0.1)
    record = example.train_record(plan.run(options.run), point, chance(options), SHAPE)
    faults = dict(told.split(":") for told in os.environ.get("STUB_FAULT", "").split())
    record = record.model_copy(update=FAULTS.get(faults.get(point.method, ""), {}))
    check_training(record, "float32")
    record.write(directory / "train.json")
    del taken


def merge(options: Namespace, directory: Path) -> None:
    plan = Plan.read(Path(options.plan))
    point = plan.point_of(options.run)
    if point.method == BASE:
        write_json(directory / "run.json", circumstances(plan, options.run))
    example.merge_record(plan.run(options.run), point).write(directory / "merge.json")


def measure(options: Namespace, directory: Path) -> None:
    from prefsweep.metrics import PREFERENCE_TASK

    plan = Plan.read(Path(options.plan))
    run, point = plan.run(options.run), plan.point_of(options.run)
    prompts = heldout_prompts(Path(options.data), options.run)
    generations = [example.generation(prompt, point.method, chance(options), SHAPE) for prompt in prompts]
    write_jsonl(directory / "generations.jsonl", [row.model_dump() for row in generations])
    example.throughput(run, chance(options)).write(directory / "throughput.json")
    found = example.evaluation(run, point, prompts, chance(options))
    asked = {task.name for task in plan.tasks}
    tasks = {name: values for name, values in found.tasks.items() if name in asked}
    pairs = found.pairs if PREFERENCE_TASK in tasks else []
    documents = {name: rows for name, rows in found.documents.items() if name in asked}
    found.model_copy(update={"tasks": tasks, "pairs": pairs, "documents": documents}).write(
        directory / "evaluation.json"
    )


def drift(options: Namespace, directory: Path) -> None:
    plan = Plan.read(Path(options.plan))
    run, point = plan.run(options.run), plan.point_of(options.run)
    if point.method in os.environ.get("STUB_FAIL_DRIFT", "").split():
        raise StageError("oom", "two models do not fit")
    generations = list(Generation.read_rows(directory / "generations.jsonl"))
    example.write_drift(directory, run, point, plan.opponent(run.id), generations, chance(options))


def reward(options: Namespace, directory: Path) -> None:
    plan = Plan.read(Path(options.plan))
    if plan.point_of(options.run).method == os.environ.get("STUB_UNREWARDED"):
        raise StageError("server_crash", "the server ended with status 1")
    prompts = heldout_prompts(Path(options.data))
    reward_record(plan, options.run, prompts, directory).write(directory / "reward.json")


def chance(options: Namespace) -> random.Random:
    return random.Random(options.run)


if __name__ == "__main__":
    main(Path(sys.argv[1]).stem, sys.argv[2:])
