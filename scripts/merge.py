"""Fold one run's adapter into the base model (or export the base the same way); the proof goes to merge.json."""

import argparse
import shutil
import time
from pathlib import Path

from prefsweep.devices import claimed
from prefsweep.failures import recorded
from prefsweep.files import published_directory, sha256_of, write_json
from prefsweep.gates.files import check_files
from prefsweep.memory import peak_memory
from prefsweep.plan import BASE, Plan, shared_precision
from prefsweep.prepared import heldout_prompts
from prefsweep.provenance import circumstances, installed_versions
from prefsweep.records.base import hashed_files, read_document
from prefsweep.records.data import HeldOutPrompt
from prefsweep.records.merge import MergeRecord
from prefsweep.records.train import TrainRecord

ROOT = Path(__file__).resolve().parent.parent
PROBES = 4
"""Held-out conversations on which logits are compared, here and at the server."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument("--together", type=int, help="jobs that may share a device (default: no limit)")
    options = parser.parse_args()
    with recorded(options.run, "merge", options.output):
        plan = Plan.read(options.plan)
        with claimed(plan.device, count=plan.generate.tensor_parallel, together=options.together):
            run(options, plan, time.perf_counter())


def run(options: argparse.Namespace, plan: Plan, started: float) -> None:
    point = plan.point_of(options.run)
    adapter = None if point.method == BASE else options.output.resolve() / "adapter"
    if adapter:
        trained = TrainRecord.read(options.output / "train.json").adapter
        check_files("train.json", "adapter", trained, hashed_files(adapter))
    precision = point.settings["precision"] if adapter else shared_precision(plan.points)

    from prefsweep import merging  # loads torch and ms-swift

    base = plan.model.folder(ROOT)
    merged = options.output / "merged"
    heldout = heldout_prompts(options.data, options.run)
    pairs = [prompt for prompt in heldout if prompt.part == "heldout" and prompt.chosen is not None][:PROBES]
    for left_behind in options.output.glob(".merged.*"):  # by a merge that was killed
        shutil.rmtree(left_behind)
    with published_directory(merged) as directory:
        arguments = merging.export_arguments(
            base,
            plan.model.model_type,
            plan.model.template,
            precision,
            (directory / "model").resolve(),
            adapter,
        )
        template = merging.export(arguments)
        lift(directory / "model")
        probes = merging.conversations(template, pairs)
        proof = merging.prove(directory, base, adapter, precision, probes)
    if not adapter:
        write_json(options.output / "run.json", circumstances(plan, options.run))
    generation, tokenizer = (read_document(merged / name) for name in ("generation_config.json", "config.json"))
    peak, _ = peak_memory()
    MergeRecord(
        run=options.run,
        argv=["swift", "export", *arguments],
        model=hashed_files(merged),
        parity_max_abs_logit_difference=proof.parity,
        parity_bound=proof.bound,
        change_max_abs_logit_difference=proof.change,
        probes=[merging.as_probe(probe, logits) for probe, logits in zip(probes, proof.logits, strict=True)],
        rendered=merging.render(template, telling(heldout)),
        eos_token_ids=as_list(generation["eos_token_id"]),
        pad_token_id=tokenizer["pad_token_id"],
        chat_template_sha256=sha256_of(merged / "chat_template.jinja"),
        total_seconds=time.perf_counter() - started,
        peak_memory_bytes=peak,
        versions=installed_versions(),
    ).write(options.output / "merge.json")


def lift(folder: Path) -> None:
    """Move a model one folder up, without ms-swift's record of its arguments, which merge.json replaces."""
    (folder / "args.json").unlink(missing_ok=True)
    for file in folder.iterdir():
        file.rename(folder.parent / file.name)
    folder.rmdir()


def telling(prompts: list[HeldOutPrompt]) -> list[HeldOutPrompt]:
    """Prompts whose rendering is compared: a few, and one of each shape, such as with a system prompt."""
    shapes = {tuple(message["role"] for message in prompt.messages): prompt for prompt in reversed(prompts)}
    chosen = {prompt.id for prompt in [*prompts[:PROBES], *shapes.values()]}
    return [prompt for prompt in prompts if prompt.id in chosen]


def as_list(value: int | list[int]) -> list[int]:
    return value if isinstance(value, list) else [value]


if __name__ == "__main__":
    main()
