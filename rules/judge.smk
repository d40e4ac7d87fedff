# Purpose: whose answers are better, in the eyes of the study's judge, where it has one: a run's or the base's, and, where the
#          study asks for it, which method's.
# In:      generations.jsonl of the run and of the base's run; of all runs, with their scores
# Out:     judged.jsonl, a verdict per prompt; judge.json, who judged and what it took; the same in rivals/

# A judge that the study serves itself computes on its device; of another's endpoint nothing is waited for but replies.
JUDGE_LOCKS = [lock("workflow"), *([lock("serve")] if JUDGE_IS_SERVED else [])]
JUDGE_THREADS = (workflow.cores if DEVICE == "cpu" else 4) if JUDGE_IS_SERVED else 1
JUDGE_GPU_JOBS = GPUS * JUDGE_IS_SERVED
JUDGE_GPUS = SERVING_GPUS * JUDGE_IS_SERVED


rule judge:
    """Ask in both orders; every reply is kept below results/.judged, and nothing is asked twice."""
    input:
        code=code("judge.py"),
        locks=JUDGE_LOCKS,
        template=judge_template,
        heldout="results/{study}/data/heldout.jsonl",
        generations="results/{study}/runs/{trained}/seed-{seed}/generations.jsonl",
        opponent=base_answers,
    output:
        verdicts="results/{study}/runs/{trained}/seed-{seed}/judged.jsonl",
        record="results/{study}/runs/{trained}/seed-{seed}/judge.json",
    log:
        "results/{study}/runs/{trained}/seed-{seed}/logs/judge.log",
    # As for `reward`: the first job of a judge that is served finds the answers of all runs. As for `score`, otherwise.
    priority: -1e-6
    localrule: not JUDGE_IS_SERVED
    threads: JUDGE_THREADS
    resources:
        gpu=JUDGE_GPUS,
        gpu_jobs=JUDGE_GPU_JOBS,
    params:
        skip=unless_empty("generations"),
        asked=planned("plan.judge.asked"),
        opponent=opponent,
        data=subpath(input.heldout, parent=True),
        directory=subpath(output.record, parent=True),
    message:
        "judge {wildcards.trained} seed {wildcards.seed} against the base"
    shell:
        "{params.skip}OMP_NUM_THREADS={threads} {sys.executable:q} {input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.trained:q}/seed-{wildcards.seed}"
        " --opponent {params.opponent:q}"
        " --data {params.data:q}"
        " --template {input.template:q}"
        " --replies {PLACES.replies:q}"
        " --vllm {VLLM:q}"
        " --output {params.directory:q}"
        " 2>{log:q}"


rule judge_rivals:
    """Which points are the best, the scores say when all are there. They meet seed by seed, on the test prompts."""
    input:
        code=code("judge_rivals.py"),
        locks=JUDGE_LOCKS,
        template=judge_template,
        heldout="results/{study}/data/heldout.jsonl",
        generations=answers,
        scores=scores,
        judged=judgements,
        rewarded=deciding_rewards,
        decisions=decisions_of,
    output:
        verdicts="results/{study}/rivals/judged.jsonl",
        record="results/{study}/rivals/judge.json",
    log:
        "results/{study}/rivals/logs/judge.log",
    localrule: not JUDGE_IS_SERVED
    threads: JUDGE_THREADS
    resources:
        gpu=JUDGE_GPUS,
        gpu_jobs=JUDGE_GPU_JOBS,
    params:
        asked=planned("plan.judge.asked"),
        rivals=planned("plan.judge.settings.rivals"),
        metric=planned("plan.primary_metric"),
        directory=subpath(output.record, parent=True),
    message:
        "judge the best points of {wildcards.study} against each other"
    shell:
        "OMP_NUM_THREADS={threads} {sys.executable:q} {input.code[0]:q}"
        " --study-directory results/{wildcards.study:q}"
        " --template {input.template:q}"
        " --replies {PLACES.replies:q}"
        " --vllm {VLLM:q}"
        " --output {params.directory:q}"
        " 2>{log:q}"
