"""Train one run's LoRA with ms-swift: steps, losses, time and memory to train.json, circumstances to run.json.

The engine runs in processes of its own (scripts/fit.py), one for each GPU of the run.
"""

import argparse
import shutil
import time
from pathlib import Path

from prefsweep.devices import claimed
from prefsweep.failures import recorded
from prefsweep.files import published_directory, sha256_of, sha256_of_json, write_json
from prefsweep.fitting import fit
from prefsweep.gates.train import check_rows, check_schedule, check_training
from prefsweep.methods import Method, load_method
from prefsweep.plan import Plan, Point
from prefsweep.provenance import circumstances, installed_versions
from prefsweep.records.base import hashed_files, read_document
from prefsweep.records.train import TrainRecord
from prefsweep.swift_settings import as_arguments, expected_steps, swift_settings
from prefsweep.training_rows import write_heldout_rows, write_training_rows, written_ids


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--trainer", type=Path, required=True, help="scripts/fit.py")
    parser.add_argument("--threads", type=int, required=True, help="processor cores to use")
    parser.add_argument("--method", type=Path, required=True, help="config/methods/<method>.yaml")
    parser.add_argument("--model", type=Path, required=True, help="folder of the base model")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--together", type=int, help="jobs that may share a device (default: no limit)")
    options = parser.parse_args()
    with recorded(options.run, "train", options.output):
        plan = Plan.read(options.plan)
        with claimed(plan.device, count=plan.gpus(options.run), together=options.together):
            run(options, plan, time.perf_counter())


def run(options: argparse.Namespace, plan: Plan, started: float) -> None:
    point, seed = plan.point_of(options.run), plan.run(options.run).seed
    method = load_method(options.method)
    work = options.output.resolve() / "training"
    shutil.rmtree(work, ignore_errors=True)
    rows = write_training_rows(method.data, options.data, work / "rows.jsonl")
    settings = swift_settings(
        method,
        point.settings,
        seed=seed,
        model=options.model.resolve(),
        model_type=plan.model.model_type,
        template=plan.model.template,
        rows=rows,
        heldout=write_heldout_rows(method.data, options.data, work / "heldout.jsonl"),
        output=work / "checkpoints",
        device=plan.device,
    )
    write_json(options.output / "settings.json", settings)
    record = train_and_check(options, point, method, work, started)
    hashes = {"rows_sha256": sha256_of(rows), "settings_sha256": sha256_of(options.output / "settings.json")}
    write_json(options.output / "run.json", circumstances(plan, options.run) | hashes)
    record.write(options.output / "train.json")
    shutil.rmtree(work)


def train_and_check(
    options: argparse.Namespace,
    point: Point,
    method: Method,
    work: Path,
    started: float,
) -> TrainRecord:
    """Run the engine, pass the gate, publish the adapter; the record is its manifest."""
    settings = options.output / "settings.json"
    fitted = fit(options.trainer, settings, work, processes=point.settings["gpus"], threads=options.threads)
    expected_ids = written_ids(work / "rows.jsonl")
    check_rows(fitted.row_counts, expected_ids, point.settings["epochs"])
    adapter = options.output / "adapter"
    with published_directory(adapter) as directory:
        for name in ("adapter_config.json", "adapter_model.safetensors", "args.json"):
            shutil.copy2(fitted.checkpoint / name, directory / name)
        record = TrainRecord(
            run=options.run,
            argv=["swift", "rlhf", *as_arguments(read_document(settings))],
            adapter=hashed_files(directory),
            adapter_norm=fitted.adapter_norm,
            trainable_parameters=fitted.trainable_parameters,
            rows=fitted.rows,
            expected_rows=len(expected_ids),
            row_ids_sha256=sha256_of_json(sorted(fitted.row_counts)),
            steps=fitted.steps,
            expected_steps=expected_steps(method, point.settings, len(expected_ids)),
            sequences=fitted.sequences,
            tokens=fitted.tokens,
            expected_first_loss=method.expected_first_loss(point.settings),
            history=fitted.history,
            train_seconds=fitted.seconds,
            total_seconds=time.perf_counter() - started,
            peak_memory_bytes=fitted.peak_memory_bytes,
            memory_kind=fitted.memory_kind,
            versions=installed_versions(),
        )
        check_training(record, point.settings["precision"])
        check_schedule(record, point.settings)
    return record


if __name__ == "__main__":
    main()
