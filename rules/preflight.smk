# Before the first job: the studies are this call's, and what its jobs need is there. In: the jobs that are to run.
import subprocess

from prefsweep.benchmarks import check_benchmarks
from prefsweep.data_files import local_files
from prefsweep.disk_space import check_space, written_bytes
from prefsweep.environments import SetupError, ensure
from prefsweep.host import (
    check_cuda,
    check_replaceable,
    check_shared_memory,
    check_writable,
)
from prefsweep.judge_plan import judge_key
from prefsweep.left_behind import end_left_behind
from prefsweep.plan import Plan
from prefsweep.planning import check_still_planned
from prefsweep.slurm import check_partitions
from prefsweep.task_checks import check_tasks
from prefsweep.task_index import index_file, read_index


def preflight(rule_names):
    """What must be there before the first job, made or fetched if it is missing, with progress on the terminal.

    Not jobs, because a model or an environment that had to be made again would re-run everything that used it.
    """
    for name in STUDIES:
        check_writable(PLACES.results / name)
    needed = {name for rule in rule_names for name in ENVIRONMENTS.get(rule, [])}
    computing = {"train", "merge", "measure", "drift", "reward", *SERVED_JUDGE}
    if workflow.local_exec and rule_names & computing:
        if DEVICE == "cuda":
            check_cuda(SHARED.plan.most_gpus)
        check_shared_memory(DEVICE)
    if rule_names & {"judge", "judge_rivals"}:
        judge_key(SHARED.plan.judge.settings)
    for name, study in STUDIES.items():
        write_plan(PLACES.results / name / "plan.json", study.plan)
    if needed:
        ensure(sorted(needed | {"train"}), DEVICE)
        if "evaluate" in needed:
            evaluate = SHARED.config.evaluate
            check_tasks(Path(STUDY_FILE), evaluate, PLACES.tasks, lm_evals_tasks)
        models = {model.folder: model for study in asked for model in study.models}
        for model in models.values():
            fetch_model(model)
        for study in asked:
            local_files(study.dataset, PLACES.downloads)
        if any(study.plan.data.rows is None for study in asked):
            overrides = json.loads(OVERRIDES)
            check_still_planned(asked, Path(STUDY_FILE), overrides, PLACES)
        for name, study in STUDIES.items():
            check_benchmarks(study.dataset, PLACES.downloads, TASKS[name], ROOT)


def check_room(jobs):
    """Room for what the jobs of all studies together will write."""
    of_runs = [job for job in jobs if job.wildcards.get("seed")]
    needed = 0
    for name, study in STUDIES.items():
        ours = [job for job in of_runs if job.wildcards.study == name]
        needed += written_bytes(study.plan, map(stage_and_run, ours))
    check_space(PLACES.results, needed)


def stage_and_run(job):
    """A job's rule and its run's id."""
    asked = job.wildcards
    return (
        job.rule.name,
        f"{asked.get('trained', asked.get('point'))}/seed-{asked.seed}",
    )


def take_turn(jobs):
    """From here on no other call changes the studies, nor does a job that one which was killed has left."""
    for directory in DIRECTORIES:
        check_writable(directory)
    check_replaceable(Path(file) for job in jobs for file in job.output)
    TURN.take()
    for directory in DIRECTORIES:
        for left in end_left_behind(directory):
            who = f"{left.stage} of {left.run} (process {left.pid})"
            print(f"prefsweep: ended {who}, which a killed call had left.", flush=True)


def write_plan(file, plan):
    """Unless another call's jobs read another plan there."""
    if TURN.others and file.exists() and Plan.read(file).digest() != plan.digest():
        message = f"{file.parent} is in use, by another version of the study."
        raise StageError("config", message, "Ask again when that call is done.")
    plan.write(file)


def lm_evals_tasks():
    """Which tasks lm-eval has, by the environment that can say it."""
    script = ROOT / "scripts" / "index_tasks.py"
    return read_index(index_file(PLACES.models, DEVICE), EVALUATE_PYTHON, script)


def fetch_model(model):
    """Into the models folder, by the environment that can read it."""
    script = ROOT / "scripts" / "fetch.py"
    uv = Path(sys.executable).with_name("uv")
    described = model.model_dump_json(exclude_none=True)
    places = ["--models-dir", str(PLACES.models), "--uv", str(uv)]
    fetch = [TRAIN_PYTHON, str(script), "--model", described, *places]
    if subprocess.run(fetch).returncode:
        sys.exit(2)


SERVED_JUDGE = ["judge", "judge_rivals"] if JUDGE_IS_SERVED else []

# Which environments a rule's jobs run in, beside the workflow's own.
ENVIRONMENTS = {
    "prepare": ["train"],
    "train": ["train"],
    "merge": ["train"],
    "measure": ["serve", "evaluate"],
    "drift": ["train"],
    "reward": ["serve"],
    "prefetch": ["train", "serve", "evaluate"],
} | dict.fromkeys(SERVED_JUDGE, ["serve"])


onstart:
    jobs = list(workflow.dag.needrun_jobs())
    STOP.listen(local=workflow.local_exec)
    try:
        if workflow.executor_plugin.name == "slurm":
            sent = [job for job in jobs if not job.is_local]
            named = {job.resources.get("slurm_partition") for job in sent}
            check_partitions(named - {None, ""})
        if any(job.output for job in jobs):
            check_room(jobs)
        if any(job.output or job.rule.name == "tidy" for job in jobs):
            take_turn(jobs)
        preflight({job.rule.name for job in jobs})
    except (ValueError, SetupError, StageError) as error:
        refuse(error)
