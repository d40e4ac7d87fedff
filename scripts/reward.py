"""Have a run's answers scored by the study's reward model, which vLLM serves as long as there is something to score.

A server start costs a minute or more, a run's answers seconds: the first job scores what other runs have answered by
then, too, and the jobs of those runs find their scores kept.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from prefsweep.devices import claimed
from prefsweep.failures import StageError, recorded
from prefsweep.files import sha256_of
from prefsweep.models import directory_revision
from prefsweep.plan import Plan
from prefsweep.planned_reward import PlannedRewardModel
from prefsweep.prepared import heldout_prompts
from prefsweep.records.reward import RewardedRun, RewardRecord
from prefsweep.reward_sheet import KeptScores, Sheet, others_to_score
from prefsweep.rewarding import CLASSIFY, Conversation, Reader, score_sheet
from prefsweep.serving import serving

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--kept", type=Path, required=True, help="where scores are kept, of all studies")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    options = parser.parse_args()
    with recorded(options.run, "reward", options.output):
        plan = Plan.read(options.plan)
        if plan.reward_model is None:
            raise StageError(
                "config", f"{options.plan} has no reward model", "Run the same command again: the plan has changed."
            )
        options.kept.mkdir(parents=True, exist_ok=True)
        # Whoever waits here finds its scores kept afterwards.
        with FileLock(options.kept / "scoring.lock"):
            scored = scored_run(options, plan, plan.reward_model)
        RewardRecord(
            run=options.run,
            asked=plan.reward_model.asked,
            generations_sha256=sha256_of(options.output / "generations.jsonl"),
            **scored.model_dump(),
        ).write(options.output / "reward.json")


def scored_run(options: argparse.Namespace, plan: Plan, planned: PlannedRewardModel) -> RewardedRun:
    """The run's scores, kept from before or made now together with those of other runs."""
    study, prompts = options.plan.parent, heldout_prompts(options.data)
    kept = KeptScores(options.kept / planned.asked)
    own = Sheet.of(plan, options.run, study, prompts)
    if found := kept.find(own):
        return found
    sheets = [own, *others_to_score(plan, options.run, study, prompts, kept)]
    folder = planned.folder(ROOT)
    if directory_revision(folder) != planned.revision:
        remedy = "Run the same command again: the plan then knows the files as they are."
        raise StageError("wrong_model", f"{folder}: its files are not those that were planned with", remedy)
    log = options.output / "logs" / "reward-server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with claimed(plan.device, count=plan.generate.tensor_parallel):
        score_sheets(sheets, reader_of(folder), plan, planned, kept, log)
    return kept.read(own)


def reader_of(folder: Path) -> Reader:
    from transformers import AutoConfig, AutoTokenizer

    config = AutoConfig.from_pretrained(folder, local_files_only=True).get_text_config()
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return Reader(tokenizer, config.pad_token_id, int(config.max_position_embeddings))


def score_sheets(
    sheets: Sequence[Sheet], reader: Reader, plan: Plan, planned: PlannedRewardModel, kept: KeptScores, log: Path
) -> None:
    """Serve the model once and keep each sheet's scores as soon as they are there; the first sheet is this job's."""
    rendered: dict[str, list[list[Conversation]]] = {}
    for sheet in sheets:
        with left_to_its_own_job(sheet, sheets[0]):
            rendered[sheet.run] = [[reader.conversation(*turn) for turn in column] for column in sheet.columns]
    longest = max(len(one.token_ids) for columns in rendered.values() for column in columns for one in column)
    with serving(
        [str(Path(sys.executable).with_name("vllm")), "serve"],
        planned.folder(ROOT),
        "reward-model",
        plan.generate.model_copy(update={"precision": planned.settings.precision}),
        device=plan.device,
        max_length=min(longest, reader.most_tokens),
        seed=0,
        log=log,
        arguments=CLASSIFY,
    ) as server:
        for sheet in (sheet for sheet in sheets if sheet.run in rendered):
            with left_to_its_own_job(sheet, sheets[0]):
                kept.keep(sheet, score_sheet(server, reader, rendered[sheet.run]))
                print(f"{sheet.run} is scored", file=sys.stderr, flush=True)


@contextmanager
def left_to_its_own_job(sheet: Sheet, own: Sheet) -> Iterator[None]:
    """What cannot be scored of another run is that run's failure, not this one's."""
    try:
        yield
    except StageError as error:
        if sheet is own or error.failure not in ("score", "model"):
            raise
        print(f"{sheet.run} is left to its own job: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
