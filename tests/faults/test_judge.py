"""Jobs of `judge` whose study serves its judge: one server start for all runs, and what fails costs one of them.

The job is the real one; only the server is not vLLM.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefsweep.failures import Failure
from prefsweep.files import read_jsonl
from prefsweep.judge_plan import Circumstances, planned_judge, served_judge
from prefsweep.models import directory_revision, load_model_spec
from prefsweep.plan import Plan
from prefsweep.planned_judge import PlannedJudge
from prefsweep.records.judge import JudgedPair, JudgeRecord
from prefsweep.settings import JudgeConfig
from tests.example_study import Shape
from tests.fake_server import fake_vllm
from tests.faults.serving_jobs import attested_study, outcome_of
from tests.model_fixtures import edit
from tests.real_project import ROOT
from tests.tokenizer_model import write_tokenizer_model


def judge_in(folder: Path, plan: Plan) -> PlannedJudge:
    """The judge of a study that serves the model in this folder."""
    settings = JudgeConfig.model_validate(
        {"serve": {"path": str(folder), "model_type": "llama", "template": "chatml"}, "retries": 1, "concurrency": 1}
    )
    spec = load_model_spec(settings.serve or "", ROOT)
    served = served_judge(settings, spec, folder, directory_revision(folder), ROOT)
    planned = planned_judge(settings, served, Circumstances(plan.runs, None, plan.generate, "cpu"), ROOT)
    assert planned is not None
    return planned


@dataclass(frozen=True)
class Jobs:
    """The jobs of one study."""

    study: Path
    judge: Path
    vllm: Path

    @property
    def plan(self) -> Plan:
        return Plan.read(self.study / "plan.json")

    def folder(self, method: str) -> Path:
        """Of the method's only run."""
        (run,) = (run.id for run in self.plan.runs if self.plan.point_of(run.id).method == method)
        return self.study / "runs" / run

    def run(self, method: str, faults: str = "") -> tuple[int, str]:
        """Exit status and output of the job of this method's run."""
        folder = self.folder(method)
        run = str(folder.relative_to(self.study / "runs"))
        command = [sys.executable, str(ROOT / "scripts" / "judge.py"), "--plan", str(self.study / "plan.json")]
        command += ["--run", run, "--opponent", self.plan.opponent(run), "--data", str(self.study / "data")]
        command += ["--template", str(ROOT / "config" / "judges" / "pairwise.md"), "--vllm", str(self.vllm)]
        command += ["--replies", str(self.study.parent / ".judged"), "--output", str(folder)]
        return outcome_of(command, faults)

    def record(self, method: str) -> JudgeRecord:
        return JudgeRecord.read(self.folder(method) / "judge.json")

    def judged(self, method: str) -> list[JudgedPair]:
        return [JudgedPair.model_validate(row) for row in read_jsonl(self.folder(method) / "judged.jsonl")]

    def failure(self, method: str) -> Failure:
        return Failure.read(self.folder(method) / "failure-judge.json")

    def server_started(self, method: str) -> bool:
        return (self.folder(method) / "logs" / "judge-server.log").exists()


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Runs of dpo and cpo have answered, as has the base; orpo's has failed, simpo's is still at it."""
    shape = Shape(
        methods=("dpo", "orpo", "simpo", "cpo"), failed=("orpo",), unfinished=("simpo",), heldout=6, showcase=1
    )
    study, judge = attested_study(tmp_path, shape), write_tokenizer_model(tmp_path / "judge")
    plan = Plan.read(study / "plan.json")
    plan.model_copy(update={"judge": judge_in(judge, plan)}).write(study / "plan.json")
    return Jobs(study, judge, fake_vllm(tmp_path))


def test_the_first_job_asks_about_all_that_is_answered_and_the_others_start_nothing(jobs: Jobs) -> None:
    status, output = jobs.run("dpo")
    assert status == 0, output
    assert "cpo-00000000/seed-0 is judged" in output
    assert "simpo" not in output
    assert jobs.run("cpo")[0] == 0
    assert [jobs.server_started(method) for method in ("dpo", "cpo")] == [True, False]
    dpo, cpo = jobs.record("dpo"), jobs.record("cpo")
    assert (dpo.new_requests, cpo.new_requests, cpo.server) == (24, 0, None)
    assert dpo.server is not None
    assert str(jobs.judge) in dpo.server.argv
    assert dpo.versions["vllm"] == "0.0.fake"
    assert "vllm" not in cpo.versions
    for method in ("dpo", "cpo"):
        outcomes = {row.outcome for row in jobs.judged(method)}
        assert "missing" not in outcomes
        assert outcomes & {"win", "loss"}


def test_replies_are_the_models_wherever_it_is_and_whatever_it_is_called(jobs: Jobs) -> None:
    assert jobs.run("dpo")[0] == 0
    moved = jobs.judge.rename(jobs.judge.with_name("another-name"))
    plan = jobs.plan.model_copy(update={"judge": judge_in(moved, jobs.plan)})
    assert plan.judge is not None
    assert jobs.plan.judge is not None
    assert plan.judge.asked == jobs.plan.judge.asked
    plan.write(jobs.study / "plan.json")
    assert jobs.run("dpo")[0] == 0
    assert jobs.record("dpo").new_requests == 0
    edit(moved / "config.json", hidden_size=64)
    plan.model_copy(update={"judge": judge_in(moved, plan)}).write(jobs.study / "plan.json")
    assert jobs.run("dpo")[0] == 0
    assert jobs.record("dpo").new_requests == 24


def test_a_judge_that_says_nothing_is_missing_everywhere(jobs: Jobs) -> None:
    status, output = jobs.run("dpo", "babbling")
    assert status == 0, output
    assert {row.outcome for row in jobs.judged("dpo")} == {"missing"}
    assert all(ballot.requests == 2 for row in jobs.judged("dpo") for ballot in row.ballots)


def test_a_server_that_dies_costs_its_job_and_not_what_was_said(jobs: Jobs) -> None:
    status, output = jobs.run("dpo", "die-judging")
    assert status == 1, output
    assert jobs.failure("dpo").failure == "server_crash"
    assert not (jobs.folder("dpo") / "judge.json").exists()
    status, output = jobs.run("dpo")
    assert status == 0, output
    assert jobs.record("dpo").new_requests == 22, "two had been answered before the server died"


def test_one_that_dies_at_other_runs_answers_costs_this_run_nothing(jobs: Jobs) -> None:
    status, output = jobs.run("dpo", "die-judging-others")
    assert status == 0, output
    assert "the other runs are left to their own jobs" in output
    assert len(jobs.judged("dpo")) == 6
    assert jobs.run("cpo")[0] == 0
    assert jobs.server_started("cpo")


@pytest.mark.parametrize(
    ("faults", "failure", "message"),
    [
        ("wrong-model", "wrong_model", "serves ['somebody-else'], not judge"),
        ("other-answers", "wrong_model", "the reply came from somebody-else, not judge"),
        ("die", "server_crash", "no memory"),
    ],
)
def test_a_server_that_is_not_the_judges_is_not_asked(jobs: Jobs, faults: str, failure: str, message: str) -> None:
    assert jobs.run("dpo", faults)[0] == 1
    assert jobs.failure("dpo").failure == failure
    assert message in jobs.failure("dpo").message


def test_a_folder_that_changed_since_it_was_planned_is_not_served(jobs: Jobs) -> None:
    edit(jobs.judge / "config.json", hidden_size=1)
    assert jobs.run("dpo")[0] == 1
    assert jobs.failure("dpo").failure == "wrong_model"
    assert "its files are not those that were planned with" in jobs.failure("dpo").message
    assert not jobs.server_started("dpo")
