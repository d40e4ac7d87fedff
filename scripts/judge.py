"""Have a run's answers to the held-out prompts compared with the base's, by the study's judge, in both orders.

The key is taken from the environment variable that the study names, never from the command line. A judge that the study
serves itself is served only while there is something that it was not asked before.
"""

import argparse
from functools import partial
from pathlib import Path

from prefsweep.failures import recorded
from prefsweep.files import write_jsonl
from prefsweep.judge_session import Courtroom, answer_pairs, hold, judge_of, judged_prompts, others_answered
from prefsweep.plan import Plan
from prefsweep.records.judge import JudgeRecord


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plan", type=Path, required=True, help="results/<study>/plan.json")
    parser.add_argument("--run", required=True, help="<point>/seed-<n>")
    parser.add_argument("--opponent", required=True, help="the base's run")
    parser.add_argument("--data", type=Path, required=True, help="results/<study>/data")
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--replies", type=Path, required=True, help="where replies are kept, of all studies")
    parser.add_argument("--vllm", type=Path, required=True, help="the command that serves a judge of the study's own")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    options = parser.parse_args()
    with recorded(options.run, "judge", options.output):
        judge_run(options)


def judge_run(options: argparse.Namespace) -> None:
    plan = Plan.read(options.plan)
    prompts = judged_prompts(judge_of(plan), options.data)
    study = options.plan.parent
    pairs = answer_pairs(study, options.run, options.opponent, prompts)
    room = Courtroom(options.template, options.replies, options.vllm, options.output / "logs" / "judge-server.log")
    judged, session = hold(plan, room, pairs, partial(others_answered, plan, study, options.run, prompts))
    write_jsonl(options.output / "judged.jsonl", [pair.model_dump() for pair in judged])
    record = JudgeRecord(run=options.run, opponent=options.opponent, **session.model_dump())
    record.write(options.output / "judge.json")


if __name__ == "__main__":
    main()
