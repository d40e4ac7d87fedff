"""Jobs of `reward` side by side: one server start for all runs, and what fails is one run's own.

The job is the real one, in the serving environment; only the server is not vLLM.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from prefsweep.failures import Failure
from prefsweep.plan import BASE, Plan
from prefsweep.records.reward import RewardRecord
from prefsweep.reward_model import planned_reward_model
from prefsweep.settings import RewardModelConfig
from tests.example_study import Shape
from tests.faults.serving_jobs import attested_study, outcome_of
from tests.model_fixtures import edit
from tests.real_project import ROOT
from tests.tokenizer_model import write_tokenizer_model

REFUSES = "{% if 'POISON' in messages[-1]['content'] %}{{ raise_exception('not this') }}{% endif %}"
"""What the reward model's template begins with."""


@dataclass(frozen=True)
class Jobs:
    """The jobs of one study."""

    python: Path
    study: Path
    rewarder: Path

    @property
    def runs(self) -> dict[str, str]:
        """Method → its only run."""
        plan = Plan.read(self.study / "plan.json")
        return {plan.point_of(run.id).method: run.id for run in plan.runs}

    def run(self, method: str, faults: str = "") -> tuple[int, str]:
        """Exit status and output of the job of this method's run."""
        run = self.runs[method]
        command = [str(self.python), str(ROOT / "scripts" / "reward.py"), "--plan", str(self.study / "plan.json")]
        command += ["--run", run, "--data", str(self.study / "data"), "--kept", str(self.study.parent / ".rewarded")]
        return outcome_of([*command, "--output", str(self.study / "runs" / run)], faults)

    def record(self, method: str) -> RewardRecord:
        return RewardRecord.read(self.study / "runs" / self.runs[method] / "reward.json")

    def failure(self, method: str) -> Failure:
        return Failure.read(self.study / "runs" / self.runs[method] / "failure-reward.json")

    def server_started(self, method: str) -> bool:
        return (self.study / "runs" / self.runs[method] / "logs" / "reward-server.log").exists()


@pytest.fixture
def jobs(serve_python: Path, tmp_path: Path) -> Jobs:
    """Runs of dpo and cpo have answered, as has the base; orpo's has failed, simpo's is still at it."""
    shape = Shape(
        methods=("dpo", "orpo", "simpo", "cpo"), failed=("orpo",), unfinished=("simpo",), heldout=6, showcase=1
    )
    study, rewarder = attested_study(tmp_path, shape), write_tokenizer_model(tmp_path / "rewarder")
    template = rewarder / "chat_template.jinja"
    template.write_text(REFUSES + template.read_text())
    edit(
        rewarder / "config.json",
        architectures=["LlamaForSequenceClassification"],
        id2label={"0": "LABEL_0"},
        max_position_embeddings=2048,
    )
    planned = planned_reward_model(RewardModelConfig(path=str(rewarder)), ROOT)
    Plan.read(study / "plan.json").model_copy(update={"reward_model": planned}).write(study / "plan.json")
    return Jobs(serve_python, study, rewarder)


def test_the_first_job_scores_all_that_is_answered_and_the_others_start_nothing(jobs: Jobs) -> None:
    status, output = jobs.run("dpo")
    assert status == 0, output
    assert all(f"{jobs.runs[method]} is scored" in output for method in ("dpo", "cpo", BASE))
    assert [jobs.run(method)[0] for method in ("cpo", BASE)] == [0, 0]
    assert [jobs.server_started(method) for method in ("dpo", "cpo", BASE)] == [True, False, False]
    base, dpo = jobs.record(BASE), jobs.record("dpo")
    assert len(dpo.answers) == len(base.answers) == 7
    assert all(one.score == pytest.approx(one.tokens / 10) for one in dpo.answers)
    assert (len(base.chosen), len(base.rejected), dpo.chosen) == (6, 6, [])


def lose_one(lines: list[str]) -> list[str]:
    return lines[:-1]


def poison_one(lines: list[str]) -> list[str]:
    return [lines[0].replace('"answer": "', '"answer": "POISON '), *lines[1:]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lose_one, "does not answer the study's 7 prompts"),
        (poison_one, "the reward model's chat template fails on prompt"),
    ],
)
def test_what_cannot_be_scored_of_another_run_is_left_to_its_own_job(
    jobs: Jobs, spoil: Callable[[list[str]], list[str]], message: str
) -> None:
    answers = jobs.study / "runs" / jobs.runs["cpo"] / "generations.jsonl"
    answers.write_text("".join(spoil(answers.read_text().splitlines(keepends=True))))
    status, output = jobs.run("dpo")
    assert status == 0, output
    assert f"{jobs.runs['cpo']} is scored" not in output
    assert jobs.run("cpo")[0] == 1
    assert message in jobs.failure("cpo").message


def test_a_server_that_dies_costs_its_job_and_not_what_was_scored(jobs: Jobs) -> None:
    status, output = jobs.run("dpo", "die-scoring")
    assert status == 1, output
    assert jobs.failure("dpo").failure == "server_crash"
    assert not (jobs.study / "runs" / jobs.runs["dpo"] / "reward.json").exists()
    status, output = jobs.run("dpo")
    assert status == 0, output
    assert "is scored" not in output, "it was before the server died"


def test_a_folder_that_changed_since_it_was_planned_is_not_served(jobs: Jobs) -> None:
    edit(jobs.rewarder / "config.json", hidden_size=1)
    assert jobs.run("dpo")[0] == 1
    assert jobs.failure("dpo").failure == "wrong_model"
    assert "its files are not those that were planned with" in jobs.failure("dpo").message
    assert not jobs.server_started("dpo")
