# Purpose: a whole model per run, and the proof that it is base + adapter.
# In:      the run's adapter, or nothing for the base arm, which goes through the same export
# Out:     merge.json, the manifest of merged/


rule merge:
    """Fold the adapter in; merged logits must equal base + adapter."""
    input:
        code=code("merge.py"),
        lock=lock("train"),
        heldout="results/{study}/data/heldout.jsonl",
        adapter=adapter,
    output:
        "results/{study}/runs/{point}/seed-{seed}/merge.json",
    log:
        "results/{study}/runs/{point}/seed-{seed}/logs/merge.log",
    resources:
        gpu=SERVING_GPUS,
        gpu_jobs=GPUS,
    params:
        skip=unless_empty("adapter"),
        or_empty=or_empty,
        data=subpath(input.heldout, parent=True),
        directory=subpath(output[0], parent=True),
    message:
        "merge {wildcards.point} seed {wildcards.seed}"
    shell:
        "{params.skip}OMP_NUM_THREADS={threads} {TRAIN_PYTHON:q} {FORKED}{input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.point:q}/seed-{wildcards.seed}"
        " --data {params.data:q}"
        " --output {params.directory:q}"
        "{SHARING}"
        " >{log:q} 2>&1{params.or_empty}"
