# Purpose: how far a run's model is from the base on its own answers; a study may do without (evaluate.kl_from_base).
# In:      merged/ of the run and of the base's run through merge.json, the run's generations.jsonl
# Out:     drift.jsonl, a divergence per answer; drift.json, of which answers and what it took


rule drift:
    """Compare both models' next-token distributions along each answer. A failure costs the run this metric alone."""
    input:
        code=code("drift.py"),
        lock=lock("train"),
        heldout="results/{study}/data/heldout.jsonl",
        merged="results/{study}/runs/{trained}/seed-{seed}/merge.json",
        generations="results/{study}/runs/{trained}/seed-{seed}/generations.jsonl",
        base=base_model,
    output:
        answers="results/{study}/runs/{trained}/seed-{seed}/drift.jsonl",
        record="results/{study}/runs/{trained}/seed-{seed}/drift.json",
    log:
        "results/{study}/runs/{trained}/seed-{seed}/logs/drift.log",
    # As for `score`.
    priority: -7e-7
    threads: TRAIN_THREADS
    resources:
        gpu=SERVING_GPUS,
        gpu_jobs=GPUS,
    params:
        skip=unless_empty("generations"),
        opponent=opponent,
        data=subpath(input.heldout, parent=True),
        directory=subpath(output.record, parent=True),
    message:
        "drift {wildcards.trained} seed {wildcards.seed}: its distance from the base"
    shell:
        "{params.skip}{TRAIN_PYTHON:q} {FORKED}{input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.trained:q}/seed-{wildcards.seed}"
        " --opponent {params.opponent:q}"
        " --data {params.data:q}"
        " --output {params.directory:q}"
        " --threads {threads}"
        "{SHARING}{SHARED_CORES}"
        " >{log:q} 2>&1"
