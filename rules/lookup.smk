# What rules look up about the study and the run they are asked for: inputs and parameters. Functions only.


def planned(path):
    """What a plan says, by attributes such as `plan.data.revision`: a function for a rule's params."""
    value = attrgetter(path)
    return lambda wildcards: value(STUDIES[wildcards.study])


def data_files(wildcards):
    """The user's own files; a data set that is fetched is pinned by its description."""
    dataset = STUDIES[wildcards.study].dataset
    return [os.path.relpath(path) for path in users_files(dataset)]


def tasks(wildcards):
    """The study's lm-eval tasks: files, and names that lm-eval knows."""
    named = TASKS[wildcards.study]
    return [os.path.relpath(t) if t.endswith(".yaml") else t for t in named]


def tasks_as_asked(wildcards):
    """The same with their settings, as text."""
    return [str(task) for task in STUDIES[wildcards.study].plan.tasks]


def task_yamls(wildcards):
    """Those of the tasks that are files."""
    return [task for task in tasks(wildcards) if task.endswith(".yaml")]


def dataset_as_asked(wildcards):
    """The study's `dataset:` as JSON."""
    return json.dumps(STUDIES[wildcards.study].config.dataset)


def documents(wildcards):
    """Files whose documents the tasks measure."""
    files = document_files(TASKS[wildcards.study], ROOT)
    return [os.path.relpath(path) for path in files if path.is_file()]


def weights(wildcards):
    """How the methods weigh their kinds of rows, as JSON."""
    points = STUDIES[wildcards.study].plan.points
    return json.dumps(
        [weight.model_dump() for weight in label_weights(points, SHARED.methods)]
    )


def training_rows(wildcards):
    """The rows a method trains on: pairs, or the same answers labelled one by one."""
    form = SHARED.methods[wildcards.trained.partition("-")[0]].data
    return f"results/{wildcards.study}/data/{form}.jsonl"


def training_gpus(wildcards):
    """GPUs that a training asks for. Trainings that share one on this machine wait for their place on it themselves."""
    if (
        SHARED.jobs_per_gpu > 1 and workflow.local_exec
    ):  # the latter is not known before rules are asked
        return 0
    plan = STUDIES[wildcards.study].plan
    return GPUS * plan.gpus(f"{wildcards.trained}/seed-{wildcards.seed}")


def gpu_job(wildcards):
    """Whether a training counts as a GPU job here."""
    return min(1, training_gpus(wildcards))


def longest_first(wildcards):
    """A training's priority: the longer its run is predicted to take, the earlier it begins, so that of several devices
    none waits for the last one. So small for the same reason as that of reward.
    """
    run = f"{wildcards.trained}/seed-{wildcards.seed}"
    return 1e-12 * (STUDIES[wildcards.study].plan.run(run).estimate.seconds or 0)


def measures_ahead(wildcards):
    """Whether a job measures runs that wait, too. On a cluster each has a job, with a time limit, of its own; on GPUs
    several can be measured side by side, and no probe looks into the CUDA graphs that answers come from.
    """
    return int(ON_THIS_CPU)


def scores(wildcards):
    """Those of every run of a study."""
    runs = STUDIES[wildcards.study].plan.runs
    return [f"results/{wildcards.study}/runs/{run.id}/scores.json" for run in runs]


def judgements(wildcards):
    """Of every trained run, where the study has a judge."""
    judge = STUDIES[wildcards.study].plan.judge
    return of_trained_runs(wildcards.study, "judge.json") if judge else []


def drifts(wildcards):
    """Of every trained run, unless the study does without."""
    asked = STUDIES[wildcards.study].plan.kl_from_base
    return of_trained_runs(wildcards.study, "drift.json") if asked else []


def of_trained_runs(study, name):
    """A file of every run of a study but the base's."""
    plan = STUDIES[study].plan
    runs = [run.id for run in plan.runs if plan.point_of(run.id).method != BASE]
    return [f"results/{study}/runs/{run}/{name}" for run in runs]


def answers(wildcards):
    """Those of every run of a study."""
    runs = STUDIES[wildcards.study].plan.runs
    return [
        f"results/{wildcards.study}/runs/{run.id}/generations.jsonl" for run in runs
    ]


def rivals(wildcards):
    """What the judge said of the methods' best points, where it is asked."""
    judge = STUDIES[wildcards.study].plan.judge
    asked = judge is not None and judge.settings.rivals != "none"
    return [f"results/{wildcards.study}/rivals/judge.json"] if asked else []


def rewards(wildcards):
    """Of every run, the base's too, where the study has a reward model."""
    plan = STUDIES[wildcards.study].plan
    folder = f"results/{wildcards.study}/runs"
    asked = plan.runs if plan.reward_model else []
    return [f"{folder}/{run.id}/reward.json" for run in asked]


def deciding_rewards(wildcards):
    """The same where they say which points are the best."""
    metric = METRICS[STUDIES[wildcards.study].plan.primary_metric]
    return rewards(wildcards) if metric.needs_reward_model else []


def opponent(wildcards):
    """The base's run that a run is compared with."""
    run = f"{wildcards.trained}/seed-{wildcards.seed}"
    return STUDIES[wildcards.study].plan.opponent(run)


def base_answers(wildcards):
    """That run's answers."""
    return f"results/{wildcards.study}/runs/{opponent(wildcards)}/generations.jsonl"


def base_model(wildcards):
    """The manifest of that run's model."""
    return f"results/{wildcards.study}/runs/{opponent(wildcards)}/merge.json"


def judge_template(wildcards):
    """The file with the judge's question."""
    return os.path.relpath(ROOT / STUDIES[wildcards.study].plan.judge.template)


def plan_digest(wildcards):
    """A hash of what is planned, but for the estimates."""
    return STUDIES[wildcards.study].plan.digest()


def adapter(wildcards):
    """What there is to merge; the base arm has no adapter."""
    if wildcards.point.startswith(f"{BASE}-"):
        return []
    run = f"{wildcards.point}/seed-{wildcards.seed}"
    return f"results/{wildcards.study}/runs/{run}/train.json"


def report_what_exists():
    """After a failure or a stop. One of `verify`, whose job has no output, is no change: what it found wrong stays so."""
    STOP.jobs_are_over()
    if any(job.output for job in workflow.dag.needrun_jobs()):
        shell(PARTIAL_REPORT)
    STOP.leave()
