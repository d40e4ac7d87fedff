# Purpose: what one merged model says, how fast, and how likely it finds the held-out answers.
# In:      merged/ through merge.json, the held-out prompts; below .measured/, what another run's job has taken ahead
# Out:     generations.jsonl, throughput.json, evaluation.json


rule measure:
    """Own one vLLM server from start to stop. Nothing else runs beside a timed generation on the CPU."""
    input:
        code=code("measure.py"),
        evaluate=code("evaluate.py"),
        tasks=task_yamls,
        documents=documents,
        locks=[lock("serve"), lock("evaluate")],
        heldout="results/{study}/data/heldout.jsonl",
        merged="results/{study}/runs/{point}/seed-{seed}/merge.json",
    output:
        generations="results/{study}/runs/{point}/seed-{seed}/generations.jsonl",
        throughput="results/{study}/runs/{point}/seed-{seed}/throughput.json",
        evaluation="results/{study}/runs/{point}/seed-{seed}/evaluation.json",
    log:
        "results/{study}/runs/{point}/seed-{seed}/logs/measure.log",
    benchmark:
        "results/{study}/runs/{point}/seed-{seed}/logs/measure.jsonl"
    # After all training and merging that can go on, so that the first job finds the models of all runs; so small for
    # the same reason as that of reward.
    priority: -5e-7
    threads: workflow.cores if DEVICE == "cpu" else 4
    resources:
        gpu=SERVING_GPUS,
        gpu_jobs=GPUS,
        ahead=measures_ahead,
    params:
        skip=unless_empty("merged"),
        or_empty=or_empty,
        data=subpath(input.heldout, parent=True),
        directory=subpath(output.generations, parent=True),
        generate=GENERATE.model_dump_json(),
        tasks=tasks_as_asked,
    message:
        "measure {wildcards.point} seed {wildcards.seed}: answers, speed, lm-eval"
    shell:
        "{params.skip}OMP_NUM_THREADS={threads} {SERVE_PYTHON:q} {input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.point:q}/seed-{wildcards.seed}"
        " --data {params.data:q}"
        " --tasks {PLACES.tasks:q}"
        " --evaluate {EVALUATE_PYTHON:q} {FORKED}{input.evaluate[0]:q}"
        " --output {params.directory:q}"
        " --depends-on {input:q}"
        " --ahead {resources.ahead}"
        " >{log:q} 2>&1{params.or_empty}"
