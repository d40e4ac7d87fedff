# The study: read, checked and expanded before any job exists. Rules take names from here, never values.
import json
import os
import re
import shlex
import sys
from operator import attrgetter
from pathlib import Path

from snakemake.dag import DAG
from snakemake.jobs import Job

ROOT = Path(workflow.basedir)
sys.path.insert(0, str(ROOT / "scripts"))

from prefsweep.admission import is_finished, was_screened
from prefsweep.asked import Places, overview_folder
from prefsweep.balance import label_weights
from prefsweep.benchmarks import document_files
from prefsweep.caller import Turn
from prefsweep.code import imported_modules
from prefsweep.credentials import redacted
from prefsweep.data_files import users_files
from prefsweep.environments import lock_of, python_of
from prefsweep.failures import RUNG, STOPPED_BY_ITSELF, StageError
from prefsweep.metrics import METRICS
from prefsweep.plan import BASE
from prefsweep.planning import plan_studies, planned_studies
from prefsweep.screening import (
    END,
    decided_on,
    open_decisions,
    reopen,
    rung_before,
    rung_id,
)
from prefsweep.stopping import Stop
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

# What Slurm started executes its job locally, too, but is not the main process.
ON_THIS_CPU = DEVICE == "cpu" and workflow.is_main_process and workflow.local_exec

# There trainings, and drifts, divide the cores among themselves, once they know what memory each takes.
SHARED_CORES = f" --share-cores {workflow.cores}" if ON_THIS_CPU else ""
TRAIN_THREADS = 1 if ON_THIS_CPU else min(workflow.cores, 4)


async def of_any_time(*_):
    """Inputs are compared by content: one from the future, as where a clock was set back, costs no job its output."""


DAG.check_output_mtime = of_any_time


async def of_any_mode(*_):
    """What cannot be replaced is named before the first job, by preflight; dry runs are answered all the same."""


Job.check_protected_output = of_any_mode


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

# Before a job's script: jobs are forked from a process that has loaded the engine once. On GPUs loading is little beside
# the work, and on clusters no two jobs share a process.
FORKS = ON_THIS_CPU and os.environ.get("PREFSWEEP_FORKS", "1") != "0"
FORKED = f"{os.path.relpath(ROOT / 'scripts' / 'forked.py')} " if FORKS else ""
os.environ |= {"PREFSWEEP_FORKS_FOR": str(os.getpid()) if FORKS else ""}

# Beside it, what starts a server.
VLLM = os.path.join(os.path.dirname(SERVE_PYTHON), "vllm")
