"""Train one run's LoRA with ms-swift: steps, losses, time and memory to train.json, circumstances to run.json.

The engine runs in processes of its own (scripts/fit.py), one for each GPU of the run.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

from prefsweep.admission import rung_to_continue
from prefsweep.checkpoints import checkpoint_for, fit_until, publish_checkpoint
from prefsweep.devices import claimed
from prefsweep.failures import recorded
from prefsweep.files import published_directory, sha256_of, sha256_of_json, write_json
from prefsweep.fitting import fit
from prefsweep.gates.train import check_rows, check_schedule, check_training
from prefsweep.methods import Method, load_method
from prefsweep.plan import Plan
from prefsweep.provenance import circumstances, installed_versions
from prefsweep.records.base import hashed_files, read_document
from prefsweep.records.train import TrainRecord
from prefsweep.swift_settings import as_arguments, expected_steps, swift_settings
from prefsweep.tracking import FOLDER, tracking_environment
from prefsweep.training_rows import write_heldout_rows, write_training_rows, written_ids

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--trainer", type=Path, required=True, help="scripts/fit.py")
    parser.add_argument("--threads", type=int, required=True, help="processor cores to use")
    parser.add_argument("--method", type=Path, required=True, help="config/methods/<method>.yaml")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--admitted", type=Path, nargs="?", help="list of where runs begin (default: with the base)")
    parser.add_argument("--together", type=int, help="jobs that may share a device (default: no limit)")
    options = parser.parse_args()
    with recorded(options.run, "train", options.output):
        plan = Plan.read(options.plan)
        with claimed(plan.device, count=plan.gpus(options.run), together=options.together):
            run(options, plan, time.perf_counter())


def run(options: argparse.Namespace, plan: Plan, started: float) -> None:
    point, seed = plan.point_of(options.run), plan.run(options.run).seed
    method = load_method(options.method)
    checkpoint = checkpoint_of(options)
    work = options.output.resolve() / "training"
    tracking = options.output.resolve() / FOLDER
    for folder in (work, *([] if checkpoint else [tracking])):
        shutil.rmtree(folder, ignore_errors=True)
    tracking.mkdir(parents=True, exist_ok=True)
    rows = write_training_rows(method.data, options.data, work / "rows.jsonl")
    settings = swift_settings(
        method,
        point.settings,
        seed=seed,
        model=plan.model.folder(ROOT),
        model_type=plan.model.model_type,
        template=plan.model.template,
        rows=rows,
        heldout=write_heldout_rows(method.data, options.data, work / "heldout.jsonl"),
        output=work / "checkpoints",
        tracking=tracking,
        device=plan.device,
    )
    if checkpoint:
        settings["resume_from_checkpoint"] = str(checkpoint.resolve())
    write_json(options.output / "settings.json", settings)
    record = train_and_check(options, plan, method, work, started, checkpoint)
    hashes = {"rows_sha256": sha256_of(rows), "settings_sha256": sha256_of(options.output / "settings.json")}
    write_json(options.output / "run.json", circumstances(plan, options.run) | hashes)
    record.write(options.output / "train.json")
    shutil.rmtree(work)


def checkpoint_of(options: argparse.Namespace) -> Path | None:
    """Where the run was left at its rung. Raises StageError when it failed there."""
    rung = rung_to_continue(options.admitted, options.run.partition("/")[0], options.output, options.plan.parent)
    checkpoint = checkpoint_for(options.output, rung) if rung else None
    print(f"continues from {checkpoint}" if checkpoint else "begins with the base model", file=sys.stderr, flush=True)
    return checkpoint


def train_and_check(
    options: argparse.Namespace,
    plan: Plan,
    method: Method,
    work: Path,
    started: float,
    checkpoint: Path | None,
) -> TrainRecord:
    """Run the engine, pass the gate, publish the adapter; the record is its manifest."""
    point = plan.point_of(options.run)
    expected_ids = written_ids(work / "rows.jsonl")
    whole = expected_steps(method, point.settings, len(expected_ids))
    last = plan.last_step(options.run, whole)
    earlier = fit_until(checkpoint) if checkpoint else None
    spent_before = TrainRecord.read(checkpoint.with_name("train.json")).total_seconds if checkpoint else 0.0
    settings = options.output / "settings.json"
    told = read_document(settings)
    fitted = fit(
        options.trainer,
        settings,
        work,
        processes=point.settings["gpus"],
        threads=options.threads,
        environment=tracking_environment(options.output.resolve() / FOLDER, told["report_to"]),
        until=last if last < whole else None,
    ).after(earlier)
    check_rows(fitted.row_counts, expected_ids, point.settings["epochs"], whole=last == whole)
    adapter = options.output / "adapter"
    with published_directory(adapter) as directory:
        for name in ("adapter_config.json", "adapter_model.safetensors", "args.json"):
            shutil.copy2(fitted.checkpoint / name, directory / name)
        record = TrainRecord(
            run=options.run,
            argv=["swift", "rlhf", *as_arguments(told)],
            adapter=hashed_files(directory),
            adapter_norm=fitted.adapter_norm,
            trainable_parameters=fitted.trainable_parameters,
            rows=fitted.rows,
            expected_rows=len(expected_ids),
            row_ids_sha256=sha256_of_json(sorted(fitted.row_counts)),
            steps=fitted.steps,
            expected_steps=last,
            sequences=fitted.sequences,
            tokens=fitted.tokens,
            expected_first_loss=method.expected_first_loss(point.settings),
            history=fitted.history,
            continued_from_step=earlier.steps if earlier else 0,
            checkpoint=publish_checkpoint(fitted, options.output / "checkpoint") if last < whole else [],
            train_seconds=fitted.seconds,
            total_seconds=time.perf_counter() - started + spent_before,
            peak_memory_bytes=fitted.peak_memory_bytes,
            memory_kind=fitted.memory_kind,
            versions=installed_versions(),
        )
        check_training(record, point.settings["precision"])
        check_schedule(record, point.settings, whole)
    return record


if __name__ == "__main__":
    main()
