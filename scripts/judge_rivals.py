"""Have the best points of a study's methods compared with each other by its judge: test prompts, both orders.

Which points those are, the comparison says, from the development half. They meet seed by seed.
"""

import argparse
from pathlib import Path

from prefsweep.comparison import compared
from prefsweep.failures import recorded
from prefsweep.files import write_jsonl
from prefsweep.judge_session import Courtroom, answer_pairs, hold, judge_of, judged_prompts
from prefsweep.records.judge import RivalVerdict
from prefsweep.results import read_study


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directory", type=Path, required=True, help="results/<study>")
    parser.add_argument("--template", type=Path, required=True)
    parser.add_argument("--replies", type=Path, required=True, help="where replies are kept, of all studies")
    parser.add_argument("--vllm", type=Path, required=True, help="the command that serves a judge of the study's own")
    parser.add_argument("--output", type=Path, required=True, help="results/<study>/rivals")
    options = parser.parse_args()
    with recorded("rivals", "judge", options.output):
        judge_rivals(options)


def judge_rivals(options: argparse.Namespace) -> None:
    study = read_study(options.study_directory)
    prompts = judged_prompts(judge_of(study.plan), options.study_directory / "data")
    test_prompts = [prompt for prompt in prompts if prompt.half == "test"]
    met = [
        (run, opponent, pair)
        for rivals in compared(study).rivals
        for run, opponent in rivals.meetings
        for pair in answer_pairs(options.study_directory, run, opponent, test_prompts)
    ]
    room = Courtroom(options.template, options.replies, options.vllm, options.output / "logs" / "judge-server.log")
    judged, session = hold(study.plan, room, [pair for _, _, pair in met])
    verdicts = [
        RivalVerdict(run=run, opponent=opponent, **said.model_dump())
        for (run, opponent, _), said in zip(met, judged, strict=True)
    ]
    write_jsonl(options.output / "judged.jsonl", [verdict.model_dump() for verdict in verdicts])
    session.write(options.output / "judge.json")


if __name__ == "__main__":
    main()
