"""One server start for the runs that wait for it: whose measurement counts, and what a fault in it costs."""

import argparse
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest

import measure as script
from prefsweep.failures import StageError
from prefsweep.files import write_text
from prefsweep.kept_answers import FOLDER
from prefsweep.measured_ahead import RESULTS, Kept, shared_inputs
from prefsweep.plan import Plan
from prefsweep.records.base import FileHash
from prefsweep.records.merge import MergeRecord
from prefsweep.serving import Server
from tests.example_study import Shape, build_study

BASE, DPO, ORPO = (f"{name}-00000000/seed-0" for name in ("base", "dpo", "orpo"))


class Jobs:
    """The job of `scripts/measure.py` with a server, and measurements, that are only noted down."""

    def __init__(self, study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.study = study
        self.starts: list[str] = []
        """Runs for which a server was started."""
        self.measured: list[tuple[str, str]] = []
        """Run, and the model that the server had then."""
        self.failing: list[str] = []
        """Runs that cannot be measured through another run's server."""
        self.stale = False
        """A swap leaves the server with the weights it had, which no bound tells from the new ones."""
        monkeypatch.setattr(script, "claimed", lambda *_, **__: nullcontext(["cpu"]))  # this machine's may be in use
        monkeypatch.setattr(script, "serving", self._serving)
        monkeypatch.setattr(script, "swapped", self._swapped)
        monkeypatch.setattr(script, "check_identity", self._check_identity)
        monkeypatch.setattr(script, "measure_served", self._measure_served)
        monkeypatch.setattr(script.Arm, "of", self._arm)

    def run(self, run: str, ahead: int = 1, shared: str = "one") -> None:
        depends = self.study / "shared.txt"
        depends.write_text(shared)
        arguments = ["measure.py", "--plan", str(self.study / "plan.json"), "--run", run, "--data", "-", "--tasks", "-"]
        arguments += ["--evaluate", "-", "--output", str(self.folder(run)), "--ahead", str(ahead)]
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(
                "sys.argv", [*arguments, "--depends-on", str(depends), str(self.folder(run) / "merge.json")]
            )
            script.main()

    def folder(self, run: str) -> Path:
        return self.study / "runs" / run

    def merge(self, run: str, *, again: bool = False, tokenizer: str = "one") -> None:
        """Leave of a merge what others look at."""
        example = MergeRecord.read(self.study / "merged.json")
        weights = FileHash(name="model.safetensors", bytes=1, sha256=f"{run}, {again}")
        files = [weights, FileHash(name="tokenizer.json", bytes=1, sha256=tokenizer)]
        example.model_copy(update={"run": run, "model": files}).write(self.folder(run) / "merge.json")

    def found(self, run: str) -> set[str]:
        return {name for name in RESULTS if (self.folder(run) / name).exists()}

    @contextmanager
    def _serving(self, _: list[str], model: Path, name: str, *__: Any, **___: Any) -> Iterator[Server]:
        self.starts.append(name)
        self.served = model.parent
        yield Server(name, "http://127.0.0.1:1", "key", [], {}, 60.0, 0)

    def _swapped(self, server: Server, model: Path) -> Server:
        if not self.stale:
            self.served = model.parent
        return dataclasses.replace(server, ready_seconds=1.0)

    def _check_identity(self, *_: Any) -> list[list[float]]:
        return [[float(sum(str(self.served).encode()))]]

    def _measure_served(self, _: argparse.Namespace, __: Plan, arm: script.Arm, server: Server, *rest: Any) -> None:
        _, target, *_ = rest
        if arm.run in self.failing and server.name != arm.run:
            raise StageError("wrong_model", "the weights are stale")
        self.measured.append((arm.run, str(self.served.relative_to(self.folder("").resolve()))))
        for name in RESULTS:
            (target / name).write_text(arm.run)

    @staticmethod
    def _arm(plan: Plan, run: str, folder: Path, *_: Any) -> script.Arm:
        merge = MergeRecord.read(folder / "merge.json")
        return script.Arm(run, plan.run(run).seed, False, merge, folder.resolve() / "merged", [], [], [], [], 8, 8)


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Jobs:
    """A base and two methods with two seeds, merged and not measured."""
    study = build_study(tmp_path, Shape(methods=("dpo", "orpo"), seeds=(0, 1)))
    example = study / "runs" / DPO / "merge.json"
    example.rename(study / "merged.json")
    for file in study.glob("runs/*/*/*"):
        if file.name in RESULTS:
            file.unlink()
    jobs = Jobs(study, monkeypatch)
    for run in Plan.read(study / "plan.json").runs:
        jobs.merge(run.id)
    return jobs


def test_one_server_measures_all_runs_of_its_seed_and_their_jobs_take_over(jobs: Jobs) -> None:
    jobs.run(DPO)
    assert jobs.measured == [(run, run) for run in (DPO, BASE, ORPO)]
    assert jobs.found(DPO) == set(RESULTS)
    assert not jobs.found(ORPO)
    jobs.run(ORPO)
    assert jobs.starts == [DPO]
    assert jobs.found(ORPO) == set(RESULTS)
    assert (jobs.folder(ORPO) / "throughput.json").read_text() == ORPO


def test_without_being_asked_to_a_job_measures_its_own_run_alone(jobs: Jobs) -> None:
    jobs.run(DPO, ahead=0)
    assert jobs.measured == [(DPO, DPO)]


def test_what_goes_wrong_with_another_run_costs_this_one_nothing(jobs: Jobs) -> None:
    jobs.failing = [BASE]
    jobs.run(DPO)
    assert jobs.measured == [(DPO, DPO)], "a server that failed one run is trusted with another"
    assert jobs.found(DPO) == set(RESULTS)
    assert not list(jobs.study.glob("runs/*/*/failure-*.json"))
    jobs.run(BASE)
    assert jobs.starts == [DPO, BASE], "a run that was left over has a server of its own"
    assert jobs.found(BASE) == set(RESULTS)


def test_weights_that_did_not_change_are_found_out(jobs: Jobs) -> None:
    jobs.stale = True
    jobs.run(DPO)
    assert jobs.measured == [(DPO, DPO)]


def test_a_run_that_is_merged_anew_is_measured_anew(jobs: Jobs) -> None:
    jobs.run(DPO)
    jobs.merge(ORPO, again=True)
    jobs.run(ORPO)
    assert jobs.starts == [DPO, ORPO]


def test_other_code_or_prompts_measure_anew(jobs: Jobs) -> None:
    jobs.run(DPO, shared="one")
    jobs.run(ORPO, shared="another")
    assert jobs.starts == [DPO, ORPO]


def test_models_that_differ_in_more_than_weights_are_not_swapped(jobs: Jobs) -> None:
    jobs.merge(BASE, tokenizer="another")
    jobs.run(DPO)
    assert [run for run, _ in jobs.measured] == [DPO, ORPO]


def test_a_run_that_another_job_measures_is_passed_over(jobs: Jobs) -> None:
    plan = Plan.read(jobs.study / "plan.json")
    with Kept(jobs.study, shared_inputs(plan, [])).lock(BASE):
        jobs.run(DPO)
    assert [run for run, _ in jobs.measured] == [DPO, ORPO]


def test_what_was_measured_before_a_stop_is_not_measured_again(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do its answers stay where a job keeps them, as they do when it is killed before it has removed them."""

    def stopped(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(SystemExit):
        patched.setattr(script, "measure_others", stopped)
        jobs.run(DPO)
    assert not jobs.found(DPO)
    answers = jobs.folder(DPO) / FOLDER / "answers.jsonl"
    write_text(answers, "")
    jobs.run(DPO)
    assert jobs.starts == [DPO]
    assert jobs.found(DPO) == set(RESULTS)
    assert not answers.parent.exists()


def test_what_was_handed_over_by_half_is_measured_again(jobs: Jobs) -> None:
    jobs.run(DPO)
    (kept,) = jobs.study.glob(".measured/orpo-*/*/generations.jsonl")
    kept.replace(jobs.folder(ORPO) / kept.name)
    with suppress(SystemExit):  # a job that trusts the other half fails
        jobs.run(ORPO)
    assert jobs.starts == [DPO, ORPO]
    assert jobs.found(ORPO) == set(RESULTS)


def test_nothing_is_left_of_what_was_taken_over(jobs: Jobs) -> None:
    for run in (DPO, BASE, ORPO):
        jobs.run(run)
    assert not [path for path in (jobs.study / ".measured").iterdir() if path.suffix != ".lock"]
