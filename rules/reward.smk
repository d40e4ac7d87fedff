# Purpose: what a reward model gives each answer; only where the study has one.
# In:      generations.jsonl of the run
# Out:     reward.json, a score per prompt


rule reward:
    """Serve the reward model and score whatever is answered by then; scores are kept below results/.rewarded."""
    input:
        code=code("reward.py"),
        lock=lock("serve"),
        heldout="results/{study}/data/heldout.jsonl",
        generations="results/{study}/runs/{point}/seed-{seed}/generations.jsonl",
    output:
        "results/{study}/runs/{point}/seed-{seed}/reward.json",
    log:
        "results/{study}/runs/{point}/seed-{seed}/logs/reward.log",
    # After all training and measuring that can go on, so that the first job finds the answers of all runs. So small
    # because Snakemake's other scheduler, ilp, never chooses a job of priority -1.
    priority: -1e-6
    threads: workflow.cores if DEVICE == "cpu" else 4
    resources:
        gpu=SERVING_GPUS,
        gpu_jobs=GPUS,
    params:
        skip=unless_empty("generations"),
        asked=planned("plan.reward_model.asked"),
        data=subpath(input.heldout, parent=True),
        directory=subpath(output[0], parent=True),
    message:
        "reward {wildcards.point} seed {wildcards.seed}: scores of its answers"
    shell:
        "{params.skip}OMP_NUM_THREADS={threads} {SERVE_PYTHON:q} {input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.point:q}/seed-{wildcards.seed}"
        " --data {params.data:q}"
        " --kept {PLACES.rewards:q}"
        " --output {params.directory:q}"
        " >{log:q} 2>&1"
