"""How far a study is: every state a job can be in, what runs, the time that is left, from a study's folder alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from prefsweep import caller
from prefsweep.caller import Turn, at_work
from prefsweep.failures import StageError, recorded
from prefsweep.lifetime import running
from prefsweep.plan import BASE, Estimate, Plan, Run, Stage, StageEstimate, run_directory
from prefsweep.planned_jobs import planned_jobs
from prefsweep.progress_view import duration, shown
from prefsweep.records.progress import StageProgress, StudyProgress
from prefsweep.records.score import Scores
from prefsweep.records.train import TrainRecord
from prefsweep.screening import decide, decision_file, rung_id
from prefsweep.search import Halving
from prefsweep.study_progress import read_progress
from tests.example_study import Shape, build_study

ROOT = Path(__file__).resolve().parents[2]
NOW = datetime(2026, 11, 30, 1, 0, tzinfo=UTC)
TRAINING = """
import sys
from pathlib import Path
from prefsweep.lifetime import running
with running(sys.argv[1], "train", Path(sys.argv[2])):
    print("runs", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """DPO and the base are done, ORPO's training failed, SimPO and KTO wait."""
    shape = Shape(methods=("dpo", "orpo", "simpo", "kto"), failed=("orpo",), unfinished=("simpo", "kto"))
    folder = build_study(tmp_path, shape)
    estimate({"train": 50.0, "merge": 21.0, "measure": 160.0, "drift": 31.0}, folder)
    return folder


def estimate(seconds: dict[Stage, float], folder: Path) -> None:
    """Give every planned run an estimate of its stages."""
    plan = Plan.read(folder / "plan.json")

    def estimated(run: Run) -> Run:
        stages = [
            StageEstimate(stage=stage, seconds=value, gpus=0, disk_bytes=1, basis="first guess")
            for stage, value in seconds.items()
            if plan.point_of(run.id).method != BASE or stage in ("merge", "measure")
        ]
        return run.model_copy(update={"estimate": run.estimate.model_copy(update={"stages": stages})})

    plan.model_copy(update={"runs": [estimated(run) for run in plan.runs]}).write(folder / "plan.json")


def progress_of(folder: Path) -> StudyProgress:
    return read_progress(folder, NOW)


def states(folder: Path) -> dict[str, list[str]]:
    """Method → the state of each of its jobs, in order."""
    found: dict[str, list[str]] = {}
    for job in planned_jobs(folder, Plan.read(folder / "plan.json"), at_work(folder)):
        found.setdefault(job.run.id.partition("-")[0], []).append(job.state)
    return found


def stage(progress: StudyProgress, name: str, rung: int | None = None) -> StageProgress:
    return next(one for one in progress.stages if (one.stage, one.rung) == (name, rung))


def text_of(progress: StudyProgress) -> str:
    console = Console(width=140, file=StringIO())
    console.print(shown(progress, NOW))
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def run_of(folder: Path, method: str) -> tuple[str, Path]:
    """The id and the folder of a method's only run."""
    run = next(run.id for run in Plan.read(folder / "plan.json").runs if run.id.startswith(f"{method}-"))
    return run, run_directory(folder, run)


def log_steps(run: Path, *lines: str) -> None:
    log = run / "training" / "checkpoints" / "logging.jsonl"
    log.parent.mkdir(parents=True)
    log.write_text("".join(lines))


def logged(step: int, seconds: float = 5.0, steps: int = 36) -> str:
    return json.dumps({"loss": 0.5, "global_step/max_steps": f"{step}/{steps}", "train_speed(s/it)": seconds}) + "\n"


@contextmanager
def training_process(run: str, folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A training that runs until it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, run, str(folder)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        assert process.stdout.readline().strip() == "runs"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_each_job_is_what_its_folder_says(study: Path) -> None:
    assert states(study) == {
        "base": ["done"] * 3,
        "dpo": ["done"] * 5,
        "orpo": ["failed", *["held up"] * 4],
        "simpo": ["waiting"] * 5,
        "kto": ["waiting"] * 5,
    }
    train = stage(progress_of(study), "train")
    assert (train.done, train.failed, train.waiting, train.expected) == (1, 1, 2, 4)
    assert stage(progress_of(study), "merge").held_up == 1


def test_a_failure_of_scoring_holds_nobody_up(study: Path) -> None:
    run, folder = run_of(study, "dpo")
    for name in ("scores.json", "drift.json"):
        (folder / name).unlink()
    with pytest.raises(SystemExit), recorded(run, "score", folder):
        raise RuntimeError("no")
    assert states(study)["dpo"] == ["done", "done", "done", "failed", "waiting"]


def test_a_training_that_another_process_holds_runs_until_it_is_killed(study: Path) -> None:
    run, folder = run_of(study, "simpo")
    with training_process(run, folder) as process:
        found = progress_of(study)
        assert [(job.run, job.stage) for job in found.running] == [(run, "train")]
        assert states(study)["simpo"][0] == "running"
        process.kill()
        process.wait()
        found = progress_of(study)
    assert not found.running
    killed = next(job for job in found.failed if job.run == run)
    assert killed.failure == "killed"
    assert f"process {process.pid}" in killed.message
    assert states(study)["simpo"][1] == "held up"


def test_a_training_says_its_step_and_what_is_left_of_it(study: Path) -> None:
    run, folder = run_of(study, "simpo")
    summary = json.dumps({"last_model_checkpoint": "checkpoint-12"}) + "\n"
    log_steps(folder, logged(11), logged(12), summary, '{"loss": 0.4, "global_st')
    with running(run, "train", folder):
        job = progress_of(study).running[0]
    assert (job.step, job.last_step, job.step_seconds) == (12, 36, 5.0)
    assert job.remaining_seconds == 24 * 5
    assert job.last_line == ""


def test_before_its_first_step_a_job_shows_the_last_line_of_its_log(study: Path) -> None:
    run, folder = run_of(study, "simpo")
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "train.log").write_bytes(
        b"Loading\rLoading: 50%\r\x1b[2J\x07Loading: \xe2\x96\x88 90%\n\n\x1b[0m\r\n"
    )
    with running(run, "train", folder):
        found = progress_of(study)
    assert found.running[0].last_line == "Loading: █ 90%"
    assert "Loading: █ 90%" in text_of(found)


def test_the_time_left_follows_from_finished_jobs_and_says_so(study: Path) -> None:
    found = progress_of(study)
    train = stage(found, "train")
    assert train.basis == "finished runs"
    took = TrainRecord.read(run_of(study, "dpo")[1] / "train.json").total_seconds
    each = took + 21.0 + 160.0 + 31.0  # what the example's records say, and all that is planned is one method's
    assert found.remaining_seconds == pytest.approx(2 * each, rel=0.01)
    assert not found.first_guess


def test_methods_keep_their_planned_proportion(study: Path) -> None:
    plan = Plan.read(study / "plan.json")
    runs = [_slower(run) if run.id.startswith("kto-") else run for run in plan.runs]
    plan.model_copy(update={"runs": runs}).write(study / "plan.json")
    took = TrainRecord.read(run_of(study, "dpo")[1] / "train.json").total_seconds
    assert progress_of(study).remaining_seconds == pytest.approx(3 * took + 2 * (21 + 160 + 31), rel=0.01)


def _slower(run: Run) -> Run:
    stages = [
        stage.model_copy(update={"seconds": stage.seconds * (1 + (stage.stage == "train"))})
        for stage in run.estimate.stages
    ]
    return run.model_copy(update={"estimate": run.estimate.model_copy(update={"stages": stages})})


def test_before_any_job_has_finished_the_plan_is_asked_and_that_is_said(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",), unfinished=(BASE, "dpo")))
    found = progress_of(folder)
    assert found.remaining_seconds is None
    assert found.unknown_stages == ["train", "merge", "measure", "drift"]
    assert "time left: unknown until a job has finished" in text_of(found)
    estimate({"train": 3000.0, "merge": 20.0, "measure": 100.0, "drift": 30.0}, folder)
    found = progress_of(folder)
    assert found.remaining_seconds == 3000 + 2 * 120 + 30
    text = text_of(found)
    assert "~50 min 00 s" in text
    assert "~ a first guess" in text


def test_stages_of_which_nothing_is_known_are_left_out_of_the_time_and_named(study: Path) -> None:
    estimate({}, study)  # a plan that was made before the model was here
    (run_of(study, "dpo")[1] / "drift.json").unlink()
    found = progress_of(study)
    took = TrainRecord.read(run_of(study, "dpo")[1] / "train.json").total_seconds
    assert found.unknown_stages == ["drift"]
    assert found.remaining_seconds == pytest.approx(2 * (took + 21.0 + 160.0), rel=0.01)
    assert "one job at a time, not counting drift: no such job has finished yet" in text_of(found)


def test_several_jobs_share_the_time_that_is_left(study: Path) -> None:
    whole = progress_of(study).remaining_seconds or 0
    held = [run_of(study, method) for method in ("simpo", "kto")]
    for _, folder in held:
        log_steps(folder, logged(36))
    with running(held[0][0], "train", held[0][1]), running(held[1][0], "train", held[1][1]):
        found = progress_of(study)
        text = text_of(found)
    took = TrainRecord.read(run_of(study, "dpo")[1] / "train.json").total_seconds
    assert found.remaining_seconds == pytest.approx(whole - 2 * took, rel=0.01)
    assert "time left: about 4 min, 2 jobs at a time, as now; done about 01:03" in text


def test_failed_jobs_are_told_with_class_remedy_and_log(study: Path) -> None:
    text = text_of(progress_of(study))
    assert "failed: train of orpo lambda=0.1 lr=0.0002, seed 0: nan: the loss was not finite at step 7" in text
    assert "Lower the learning rate" in text
    assert f"{run_of(study, 'orpo')[1]}/logs/train.log" in text.replace("\n", "")
    assert "no call is at work: the same command continues" in text


def test_a_finished_study_is_said_to_be(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",)))
    assert not progress_of(folder).finished
    (folder / "provenance.json").write_text("{}")
    found = progress_of(folder)
    assert found.finished
    text = text_of(found)
    assert "8 of 8 jobs done · the report is made" in text
    assert "time left" not in text


def screened_study(tmp_path: Path) -> Path:
    """Two DPO points at one rung, both scored; no decision yet, and nothing of the full runs."""
    folder = build_study(tmp_path, Shape(methods=("dpo",), variants=2, seeds=(0, 1), unfinished=("dpo",)))
    done = build_study(tmp_path / "done", Shape(methods=("dpo",), variants=2))
    plan = Plan.read(folder / "plan.json")
    points = [point.id for point in plan.points if point.method != BASE]
    none = Estimate(steps=9, sequences=72, seconds=None, disk_bytes=None)
    screening = [Run(id=rung_id(point, 0, 1), point=point, seed=0, rung=1, estimate=none) for point in points]
    halving = Halving(start=0.25, keep=0.5, rungs=1)
    plan.model_copy(update={"halving": halving, "screening": screening}).write(folder / "plan.json")
    for point in points:
        run_directory(folder, f"{point}/seed-0").mkdir(parents=True)
        run_directory(done, f"{point}/seed-0").rename(run_directory(folder, rung_id(point, 0, 1)))
    estimate({"train": 100.0, "merge": 21.0, "measure": 160.0, "drift": 31.0}, folder)
    return folder


def test_what_a_rung_has_yet_to_decide_counts_with_its_chance(tmp_path: Path) -> None:
    folder = screened_study(tmp_path)
    found = progress_of(folder)
    assert stage(found, "train", 1).done == 2
    assert stage(found, "train").waiting == 4
    assert (found.decisions_made, found.decisions_planned) == (0, 1)
    took = 101.5  # of a rung's training, of which no estimate is planned: the full runs are as planned
    later = [21.0, 160.0, 31.0]
    trained = [100 * 0.75, 100 * 0.75, 100, 100]
    assert found.remaining_seconds == pytest.approx(0.5 * (sum(trained) + 4 * sum(later)))
    assert took == stage(found, "train", 1).job_seconds
    assert "halving: 0 of 1 decision made about which points go on; what waits beyond them may yet be stopped" in (
        text_of(found)
    )


def test_a_point_that_a_rung_stopped_is_expected_no_more(tmp_path: Path) -> None:
    folder = screened_study(tmp_path)
    plan = Plan.read(folder / "plan.json")
    scores = {run.point: Scores.read(run_directory(folder, run.id) / "scores.json") for run in plan.screening}
    decision = decide(plan, 1, scores, {}, dict.fromkeys(scores, 9))
    decision.write(decision_file(folder, "end"))
    found = progress_of(folder)
    train = stage(found, "train")
    assert (train.stopped, train.waiting, train.expected) == (2, 2, 2)
    assert "rung 1" in text_of(found)
    assert found.remaining_seconds == pytest.approx(175 + 2 * (21 + 160 + 31))


def test_a_run_that_goes_on_from_its_rung_teaches_what_its_own_steps_took(tmp_path: Path) -> None:
    folder = screened_study(tmp_path)
    plan = Plan.read(folder / "plan.json")
    run = next(run for run in plan.runs if run.point == plan.screening[0].point and run.seed == 0)
    rung = TrainRecord.read(run_directory(folder, plan.screening[0].id) / "train.json")
    own = 150.0  # twice what is planned of the three quarters that are left
    further = {"run": run.id, "total_seconds": rung.total_seconds + own, "continued_from_step": 9}
    rung.model_copy(update=further).write(run_directory(folder, run.id) / "train.json")
    assert stage(progress_of(folder), "train").job_seconds == pytest.approx((150 + 200) / 2)


def test_jobs_about_no_single_run_are_told_when_they_run_or_fail(study: Path) -> None:
    data = study / "data"
    with pytest.raises(SystemExit), recorded("example", "prepare", data):
        raise StageError("data", "pairs.jsonl:7: no answer")
    with running("example", "describe", data):
        found = progress_of(study)
        text = text_of(found)
    assert [(job.run, job.stage) for job in found.running] == [("example", "describe")]
    assert "failed: prepare of example: data: pairs.jsonl:7: no answer" in text
    assert found.remaining_seconds == progress_of(study).remaining_seconds


def test_the_call_at_work_is_told_as_long_as_it_lives(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Turn([study]).take()
    found = progress_of(study)
    assert found.caller
    assert found.caller.pid == os.getpid()
    assert "no job runs at this moment: they wait in a cluster's queue" in text_of(found)
    killed = found.caller.model_copy(update={"started": "2026-11-30 00:20:30"})
    killed.write(study / "logs" / "caller.json")  # another file, which nobody holds
    assert progress_of(study).caller is None
    monkeypatch.setattr(caller, "_is_local", lambda _: False)
    elsewhere = killed.model_copy(update={"host": "elsewhere", "boot": "another"})
    elsewhere.write(study / "logs" / "caller.json")
    assert "39 min 30 s since the call began" in text_of(progress_of(study))
    elsewhere.model_copy(update={"ended": "2026-11-30 00:50:00"}).write(study / "logs" / "caller.json")
    assert "no call is at work" in text_of(progress_of(study))


def test_what_failed_before_the_call_at_work_waits_to_be_tried_again(study: Path) -> None:
    failure = run_of(study, "orpo")[1] / "failure-train.json"
    os.utime(failure, (0, 0))
    assert states(study)["orpo"] == ["failed", *["held up"] * 4]
    Turn([study]).take()
    assert states(study)["orpo"] == ["waiting"] * 5
    assert not progress_of(study).failed
    os.utime(failure)
    assert states(study)["orpo"] == ["failed", *["held up"] * 4]


def test_of_many_jobs_the_first_are_listed(tmp_path: Path) -> None:
    folder = build_study(
        tmp_path, Shape(methods=("dpo", "kto"), seeds=tuple(range(12)), failed=("dpo",), unfinished=("kto",))
    )
    held = [run.id for run in Plan.read(folder / "plan.json").runs if run.id.startswith("kto-")]
    with ExitStack() as stack:
        for run in held:
            stack.enter_context(running(run, "train", run_directory(folder, run)))
        found = progress_of(folder)
        text = text_of(found)
    assert (len(found.running), len(found.failed)) == (12, 12)
    assert "kto beta=0.1 lr=0.0002, seed 9" in text
    assert "seed 10" not in text
    assert "and 2 more\n" in "".join(line.rstrip() + "\n" for line in text.splitlines())
    assert "and 2 more failed" in text


def test_durations_are_told_as_people_do() -> None:
    told = [duration(seconds) for seconds in (4.4, 59.6, 200, 3599.9, 7500, 86_400 + 4 * 3600)]
    assert told == ["4 s", "1 min 00 s", "3 min 20 s", "1 h 00 min", "2 h 05 min", "1 d 04 h"]


def command(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    script = ROOT / "scripts" / "progress.py"
    return subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=False)


def test_the_command_shows_all_studies_of_a_file_and_says_where_there_is_none(study: Path, tmp_path: Path) -> None:
    several = tmp_path / "pairs"
    for name in ("first", "second"):
        build_study(several, Shape(methods=("dpo",))).rename(several / name)
    outcome = command("--json", several, study)
    assert outcome.returncode == 0, outcome.stderr
    found = [StudyProgress.model_validate(one) for one in json.loads(outcome.stdout)]
    assert [len(one.failed) for one in found] == [0, 0, 1]
    outcome = command(study, tmp_path / "never-run")
    assert outcome.returncode == 0, outcome.stderr
    assert "example: 8 of 23 jobs done · 1 failed" in outcome.stdout
    assert f"{tmp_path}/never-run: nothing yet: no study has been started there" in outcome.stdout


def test_in_a_terminal_it_looks_again_until_all_is_done(tmp_path: Path) -> None:
    folder = build_study(tmp_path, Shape(methods=("dpo",)))
    screen, terminal = os.openpty()
    watch = [sys.executable, ROOT / "scripts" / "progress.py", folder, "--watch", "0.5"]
    with subprocess.Popen(watch, stdout=terminal, env=os.environ | {"TERM": "xterm", "COLUMNS": "120"}) as process:
        os.close(terminal)
        seen = b""
        while seen.count(b"8 of 8 jobs done") < 2:
            seen += os.read(screen, 4096)
        assert b"the report is made" not in seen
        (folder / "provenance.json").write_text("{}")
        with suppress(OSError):  # the terminal is gone when the command has ended
            while more := os.read(screen, 4096):
                seen += more
    os.close(screen)
    assert process.returncode == 0
    assert "the report is made" in seen.decode()


def test_a_plan_of_another_version_is_said_to_be_one(study: Path) -> None:
    (study / "plan.json").write_text("{}")
    outcome = command(study)
    assert outcome.returncode == 1
    assert "plan.json is not a Plan this version of prefsweep wrote" in outcome.stderr
