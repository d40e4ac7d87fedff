# The study: read, checked and expanded before any job exists. Rules take names from here, never values.
import json
import os
import re
import shlex
import subprocess
import sys
from operator import attrgetter
from pathlib import Path

from snakemake.dag import DAG

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from prefsweep.admission import is_finished, was_screened
from prefsweep.asked import Places, overview_folder
from prefsweep.balance import label_weights
from prefsweep.benchmarks import check_benchmarks, document_files
from prefsweep.caller import Turn
from prefsweep.code import imported_modules
from prefsweep.credentials import redacted
from prefsweep.data_files import local_files, users_files
from prefsweep.disk_space import check_space, written_bytes
from prefsweep.environments import SetupError, ensure, lock_of, python_of
from prefsweep.failures import RUNG, STOPPED_BY_ITSELF, StageError
from prefsweep.host import check_cuda, check_shared_memory, check_writable
from prefsweep.judge_plan import judge_key
from prefsweep.left_behind import end_left_behind
from prefsweep.metrics import METRICS
from prefsweep.plan import BASE, Plan
from prefsweep.planning import check_still_planned, plan_studies, planned_studies
from prefsweep.screening import (
    END,
    decided_on,
    open_decisions,
    reopen,
    rung_before,
    rung_id,
)
from prefsweep.slurm import check_partitions
from prefsweep.stopping import Stop
from prefsweep.task_checks import check_tasks
from prefsweep.task_index import index_file, read_index
from prefsweep.tasks import located

PLACES = Places(
    root=ROOT,
    models=Path(os.environ.get("PREFSWEEP_MODELS", ROOT / "models")),
    downloads=Path(os.environ.get("PREFSWEEP_MODELS", ROOT / "models")) / "datasets",
    results=Path("results"),
)


# The study of this call: the file given with --configfile, changed by --config.
DEMO = ROOT / "config" / "demo.yaml"
STUDY_FILE = os.path.relpath([DEMO, *workflow.config_settings.configfiles][-1])
OVERRIDES = json.dumps(dict(workflow.config_settings.config), sort_keys=True)


def refuse(error):
    """Nothing can run: say why and what to do, without passwords in addresses that the study has."""
    remedy = f"\n  remedy: {error.remedy}" if isinstance(error, StageError) else ""
    told = redacted(f"{error}{remedy}")
    print(f"prefsweep: nothing was started.\n{told}", file=sys.stderr)
    sys.exit(2)


try:
    # A job that a cluster started reads the plan it belongs to: only the process that submits it decides and checks.
    studies = plan_studies if workflow.is_main_process else planned_studies
    asked = studies(Path(STUDY_FILE), json.loads(OVERRIDES), PLACES)
    # One, or of several models or data sets one each, by its folder below results/: what rules call {study}.
    STUDIES = {study.plan.study: study for study in asked}
    TASKS = {
        name: [task.name for task in located(study.plan.tasks, PLACES.tasks)]
        for name, study in STUDIES.items()
    }
except (ValueError, StageError) as error:
    refuse(error)

TURN, STOP = Turn(PLACES.results / name for name in STUDIES), Stop()
if workflow.is_main_process and not TURN.others:
    for name, study in STUDIES.items():
        reopen(PLACES.results / name, study.plan)
# What all of them share: they differ in model and data alone.
SHARED = next(iter(STUDIES.values()))
DEVICE = SHARED.plan.device
GENERATE = SHARED.plan.generate
DIRECTORIES = [PLACES.results / name for name in STUDIES]
OVERVIEW = overview_folder(DIRECTORIES)
OVERVIEW_PAGE = [OVERVIEW / "index.html"] if OVERVIEW else []
PLANS = [directory / "plan.json" for directory in DIRECTORIES]
METHODS = os.path.relpath(PLACES.methods)
GPUS = 1 if DEVICE == "cuda" else 0
SERVING_GPUS = GPUS * GENERATE.tensor_parallel
JUDGE_IS_SERVED = SHARED.judge is not None
SHARING = f" --together {SHARED.jobs_per_gpu}" if DEVICE == "cuda" else ""
TRAIN_THREADS = min(workflow.cores, 4)


async def of_any_time(*_):
    """Inputs are compared by content: one from the future, as where a clock was set back, costs no job its output."""


DAG.check_output_mtime = of_any_time


# How many GPU jobs run at a time is one machine's limit; a cluster has its own. (A limit on `gpu` itself would also cut
# down what a single job asks for.)
resource_scopes:
    gpu="local",
    gpu_jobs="local",


wildcard_constraints:
    study="|".join(map(re.escape, STUDIES)),
    point=r"[a-z0-9_]+-[0-9a-f]{8}",
    trained=rf"(?!{BASE}-)[a-z0-9_]+-[0-9a-f]{{8}}",
    seed=rf"\d+({RUNG}\d+)?",


def code(script):
    """A script and the library modules it imports, compared by content: an edit re-runs what uses it, no more."""
    modules = imported_modules(ROOT / "scripts" / script)
    return [os.path.relpath(path) for path in modules]


def lock(name):
    """The lock of an environment: rules that use it run again when it changes."""
    return os.path.relpath(lock_of(name, DEVICE))


# Interpreters are no parameters of a rule: moving the environments re-runs nothing, changing a lock does.
TRAIN_PYTHON, SERVE_PYTHON, EVALUATE_PYTHON = (
    os.path.relpath(python_of(name, DEVICE)) for name in ("train", "serve", "evaluate")
)

# Beside it, what starts a server.
VLLM = os.path.join(os.path.dirname(SERVE_PYTHON), "vllm")


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


def take_turn():
    """From here on no other call changes the studies, nor does a job that one which was killed has left."""
    for directory in DIRECTORIES:
        check_writable(directory)
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
            take_turn()
        preflight({job.rule.name for job in jobs})
    except (ValueError, SetupError, StageError) as error:
        refuse(error)
