"""Train one run's LoRA with ms-swift: steps, losses, time and memory to train.json, circumstances to run.json.

The engine runs in processes of its own (scripts/fit.py), one for each GPU of the run.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path
from typing import Any

from prefsweep.admission import rung_to_continue
from prefsweep.attempts import CHECKPOINTS, Start, clear, find_start
from prefsweep.checkpoints import checkpoint_for, publish_checkpoint
from prefsweep.code import code_revision
from prefsweep.cpu_share import Share, training_share
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
from prefsweep.tracking import FOLDER, read_late, tracking_environment
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
    parser.add_argument("--share-cores", type=int, help="cores for all trainings, in place of these two")
    options = parser.parse_args()
    with recorded(options.run, "train", options.output):
        plan, method = Plan.read(options.plan), load_method(options.method)
        share = Share(options.threads, options.together)
        if cores := options.share_cores:
            share = training_share(plan, options.run, method, options.data, ROOT, cores)
        with claimed(plan.device, count=plan.gpus(options.run), together=share.jobs):
            run(options, plan, method, share.threads, time.perf_counter())


def run(options: argparse.Namespace, plan: Plan, method: Method, threads: int, started: float) -> None:
    point, seed = plan.point_of(options.run), plan.run(options.run).seed
    work = options.output.resolve() / "training"
    tracking = options.output.resolve() / FOLDER
    clear(work)
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
        output=work / CHECKPOINTS,
        tracking=tracking,
        device=plan.device,
    )
    start = start_of(options, plan, settings, work)
    if start.checkpoint:
        settings["resume_from_checkpoint"] = str(start.checkpoint)
    else:
        shutil.rmtree(tracking, ignore_errors=True)
    tracking.mkdir(parents=True, exist_ok=True)
    write_json(options.output / "settings.json", settings)
    record = train_and_check(options, plan, method, threads, work, started, start)
    hashes = {"rows_sha256": sha256_of(rows), "settings_sha256": sha256_of(options.output / "settings.json")}
    write_json(options.output / "run.json", circumstances(plan, options.run) | hashes)
    record.write(options.output / "train.json")
    shutil.rmtree(work)


def start_of(options: argparse.Namespace, plan: Plan, settings: dict[str, Any], work: Path) -> Start:
    """With the base model, at the run's rung, or where it was stopped. Raises StageError when it failed at its rung."""
    listed = rung_to_continue(options.admitted, options.run.partition("/")[0], options.output, options.plan.parent)
    rung = checkpoint_for(options.output.resolve(), listed.resolve()) if listed else None
    identity = {
        "settings": settings,
        "rows": [sha256_of(work / name) for name in ("rows.jsonl", "heldout.jsonl")],
        "model": plan.model.revision,
        "rung": str(rung),
        "code": code_revision(options.trainer),
        "versions": installed_versions(),
    }
    start = find_start(work, rung, sha256_of_json(identity))
    begins = f"continues from {start.checkpoint}" if start.checkpoint else "begins with the base model"
    print(begins, file=sys.stderr, flush=True)
    return start


def train_and_check(
    options: argparse.Namespace, plan: Plan, method: Method, threads: int, work: Path, started: float, start: Start
) -> TrainRecord:
    """Run the engine, pass the gate, publish the adapter; the record is its manifest."""
    point = plan.point_of(options.run)
    expected_ids = written_ids(work / "rows.jsonl")
    whole = expected_steps(method, point.settings, len(expected_ids))
    last = plan.last_step(options.run, whole)
    settings = options.output / "settings.json"
    told = read_document(settings)
    fitted = start.fitted(last) or fit(
        options.trainer,
        settings,
        work,
        processes=point.settings["gpus"],
        threads=threads,
        environment=tracking_environment(options.output.resolve() / FOLDER, told["report_to"]),
        may_fork=read_late(told["report_to"]),
        until=last if last < whole else None,
    )
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
            threads=threads,
            expected_first_loss=method.expected_first_loss(point.settings),
            history=fitted.history,
            continued_from_step=start.rung_steps,
            resumed_at_steps=start.resumed_at_steps,
            checkpoint=publish_checkpoint(fitted, options.output / "checkpoint") if last < whole else [],
            train_seconds=fitted.seconds,
            total_seconds=time.perf_counter() - started + start.seconds_before,
            peak_memory_bytes=fitted.peak_memory_bytes,
            memory_kind=fitted.memory_kind,
            versions=installed_versions(),
        )
        check_training(record, point.settings["precision"])
        check_schedule(record, point.settings, whole)
    return record


if __name__ == "__main__":
    main()
