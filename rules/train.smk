# Purpose: a LoRA per run, by ms-swift.
# In:      the run's entry in plan.json, the base model, pairs (or rows labelled one by one, for KTO)
# Out:     train.json, the manifest of adapter/; run.json, the circumstances


rule train:
    """Fit one run's LoRA; settings, steps and losses go to train.json."""
    input:
        code=code("train.py"),
        trainer=code("fit.py"),
        lock=lock("train"),
        decided=ancient(decided),
        method=lambda wildcards: f"{METHODS}/{wildcards.trained.partition('-')[0]}.yaml",
        rows=training_rows,
        heldout="results/{study}/data/heldout.jsonl",
    output:
        manifest="results/{study}/runs/{trained}/seed-{seed}/train.json",
        circumstances="results/{study}/runs/{trained}/seed-{seed}/run.json",
    log:
        "results/{study}/runs/{trained}/seed-{seed}/logs/train.log",
    priority: longest_first
    threads: TRAIN_THREADS
    resources:
        gpu=training_gpus,
        gpu_jobs=gpu_job,
    params:
        skip=unless_admitted,
        or_empty=or_empty,
        data=subpath(input.rows, parent=True),
        directory=subpath(output.manifest, parent=True),
        last_share=last_share,
    message:
        "train {wildcards.trained} seed {wildcards.seed}"
    shell:
        "{params.skip}{TRAIN_PYTHON:q} {FORKED}{input.code[0]:q}"
        " --trainer {input.trainer[0]:q}"
        " --threads {threads}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.trained:q}/seed-{wildcards.seed}"
        " --method {input.method:q}"
        " --data {params.data:q}"
        " --output {params.directory:q}"
        " --admitted {input.decided:q}"
        "{SHARING}{SHARED_CORES}"
        " >{log:q} 2>&1{params.or_empty}"
