# Purpose: every metric of every prompt of one run.
# In:      generations.jsonl, evaluation.json, the held-out prompts
# Out:     scores.json


rule score:
    """Score each answer; every prompt must have been answered exactly once."""
    input:
        code=code("score.py"),
        lock=lock("workflow"),
        heldout="results/{study}/data/heldout.jsonl",
        generations="results/{study}/runs/{point}/seed-{seed}/generations.jsonl",
        evaluation="results/{study}/runs/{point}/seed-{seed}/evaluation.json",
    output:
        "results/{study}/runs/{point}/seed-{seed}/scores.json",
    log:
        "results/{study}/runs/{point}/seed-{seed}/logs/score.log",
    # After all measuring that can go on: on the CPU a measurement has all cores, and would wait for this one's.
    priority: -6e-7
    localrule: True
    params:
        skip=unless_empty("generations"),
        or_empty=or_empty,
    message:
        "score {wildcards.point} seed {wildcards.seed}"
    shell:
        "{params.skip}{sys.executable:q} {input.code[0]:q}"
        " --run {wildcards.point:q}/seed-{wildcards.seed}"
        " --heldout {input.heldout:q}"
        " --generations {input.generations:q}"
        " --evaluation {input.evaluation:q}"
        " --output {output:q}"
        " 2>{log:q}{params.or_empty}"
