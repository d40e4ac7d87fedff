# The study: read, checked and expanded before any job exists. Rules take names from here, never values.
import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from prefsweep.admission import is_finished, was_screened
from prefsweep.balance import label_weights
from prefsweep.benchmarks import check_benchmarks, document_files
from prefsweep.code import imported_modules
from prefsweep.data_files import local_files, users_files
from prefsweep.environments import SetupError, ensure, lock_of, python_of
from prefsweep.failures import RUNG, STOPPED_BY_ITSELF, StageError
from prefsweep.host import check_cuda, check_shared_memory, check_writable
from prefsweep.models import model_directory
from prefsweep.plan import BASE
from prefsweep.planning import (
    Places,
    check_still_planned,
    plan_study,
    planned_study,
)
from prefsweep.screening import (
    END,
    decided_on,
    open_decisions,
    reopen,
    rung_before,
    rung_id,
)
from prefsweep.slurm import check_partitions
from prefsweep.tasks import task_files

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
    """Nothing can run: say why and what to do."""
    remedy = f"\n  remedy: {error.remedy}" if isinstance(error, StageError) else ""
    print(f"prefsweep: nothing was started.\n{error}{remedy}", file=sys.stderr)
    sys.exit(2)


try:
    # A job that a cluster started reads the plan it belongs to: only the process that submits it decides and checks.
    study = plan_study if workflow.is_main_process else planned_study
    STUDY = study(Path(STUDY_FILE), json.loads(OVERRIDES), PLACES)
    TASKS = task_files(STUDY.plan.tasks, PLACES.tasks)
    DOCUMENTS = document_files(TASKS, ROOT)
except (ValueError, StageError) as error:
    refuse(error)

STUDY_DIRECTORY = f"results/{STUDY.plan.study}"
if workflow.is_main_process:
    reopen(Path(STUDY_DIRECTORY), STUDY.plan)
PLAN = f"{STUDY_DIRECTORY}/plan.json"
DEVICE = STUDY.plan.device
MODEL = os.path.relpath(model_directory(STUDY.model, PLACES.models))
RUNS = [run.id for run in STUDY.plan.runs]
PLAN_DIGEST = STUDY.plan.digest()
METHODS = os.path.relpath(PLACES.methods)
GPUS = 1 if DEVICE == "cuda" else 0
SERVING_GPUS = GPUS * STUDY.plan.generate.tensor_parallel
SHARING = f" --together {STUDY.jobs_per_gpu}" if DEVICE == "cuda" else ""
TRAIN_THREADS = min(workflow.cores, 4)
DATA_FILES = [os.path.relpath(path) for path in users_files(STUDY.dataset)]
TASK_FILES = [os.path.relpath(task) for task in TASKS if task.endswith(".yaml")]


pathvars:
    study=STUDY_DIRECTORY,
    run="<study>/runs/{point}/seed-{seed}",


# How many GPU jobs run at a time is one machine's limit; a cluster has its own. (A limit on `gpu` itself would also cut
# down what a single job asks for.)
resource_scopes:
    gpu="local",
    gpu_jobs="local",


wildcard_constraints:
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


def training_rows(wildcards):
    """The rows a method trains on: pairs, or the same answers labelled one by one."""
    form = STUDY.methods[wildcards.trained.partition("-")[0]].data
    return f"{STUDY_DIRECTORY}/data/{form}.jsonl"


def training_gpus(wildcards):
    """GPUs that a training asks for. Trainings that share one on this machine wait for their place on it themselves."""
    if (
        STUDY.jobs_per_gpu > 1 and workflow.local_exec
    ):  # the latter is not known before rules are asked
        return 0
    return GPUS * STUDY.plan.gpus(f"{wildcards.trained}/seed-{wildcards.seed}")


def gpu_job(wildcards):
    """Whether a training counts as a GPU job here."""
    return min(1, training_gpus(wildcards))


def adapter(wildcards):
    """What there is to merge; the base arm has no adapter."""
    if wildcards.point.startswith(f"{BASE}-"):
        return []
    return f"{STUDY_DIRECTORY}/runs/{wildcards.point}/seed-{wildcards.seed}/train.json"


def preflight(rule_names):
    """What must be there before the first job, made or fetched if it is missing, with progress on the terminal.

    Not jobs, because a model or an environment that had to be made again would re-run everything that used it.
    """
    check_writable(Path(STUDY_DIRECTORY))
    needed = {name for rule in rule_names for name in ENVIRONMENTS.get(rule, [])}
    if workflow.local_exec and rule_names & {"train", "merge", "measure"}:
        if DEVICE == "cuda":
            check_cuda(STUDY.plan.most_gpus)
        check_shared_memory(DEVICE)
    STUDY.plan.write(Path(PLAN))
    if needed:
        ensure(sorted(needed | {"train"}), DEVICE)
        model = STUDY.model.model_dump_json(exclude_none=True)
        uv = Path(sys.executable).with_name("uv")
        places = ["--models-dir", str(PLACES.models), "--uv", str(uv)]
        fetch = [
            TRAIN_PYTHON,
            str(ROOT / "scripts" / "fetch.py"),
            "--model",
            model,
            *places,
        ]
        if subprocess.run(fetch).returncode:
            sys.exit(2)
        local_files(STUDY.dataset, PLACES.downloads)
        if STUDY.plan.data.rows is None:
            overrides = json.loads(OVERRIDES)
            check_still_planned(STUDY, Path(STUDY_FILE), overrides, PLACES)
        check_benchmarks(STUDY.dataset, PLACES.downloads, TASKS, ROOT)


# Which environments a rule's jobs run in, beside the workflow's own.
ENVIRONMENTS = {
    "prepare": ["train"],
    "train": ["train"],
    "merge": ["train"],
    "measure": ["serve", "evaluate"],
    "prefetch": ["train", "serve", "evaluate"],
}


onstart:
    try:
        if workflow.executor_plugin.name == "slurm":
            jobs = [job for job in workflow.dag.needrun_jobs() if not job.is_local]
            named = {job.resources.get("slurm_partition") for job in jobs}
            check_partitions(named - {None, ""})
        preflight({job.rule.name for job in workflow.dag.needrun_jobs()})
    except (ValueError, SetupError, StageError) as error:
        refuse(error)
