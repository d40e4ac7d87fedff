# Purpose: whose answers are better, in the eyes of the study's judge, where it has one: a run's or the base's, and, where the
#          study asks for it, which method's.
# In:      generations.jsonl of the run and of the base's run; of all runs, with their scores
# Out:     judged.jsonl, a verdict per prompt; judge.json, who judged and what it took; the same in rivals/


rule judge:
    """Ask in both orders; every reply is kept below results/.judged, and nothing is asked twice."""
    input:
        code=code("judge.py"),
        lock=lock("workflow"),
        template=judge_template,
        heldout="results/{study}/data/heldout.jsonl",
        generations="results/{study}/runs/{trained}/seed-{seed}/generations.jsonl",
        opponent=base_answers,
    output:
        verdicts="results/{study}/runs/{trained}/seed-{seed}/judged.jsonl",
        record="results/{study}/runs/{trained}/seed-{seed}/judge.json",
    log:
        "results/{study}/runs/{trained}/seed-{seed}/logs/judge.log",
    localrule: True
    params:
        skip=unless_empty("generations"),
        asked=planned("plan.judge.asked"),
        opponent=opponent,
        data=subpath(input.heldout, parent=True),
        directory=subpath(output.record, parent=True),
    message:
        "judge {wildcards.trained} seed {wildcards.seed} against the base"
    shell:
        "{params.skip}{sys.executable:q} {input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --run {wildcards.trained:q}/seed-{wildcards.seed}"
        " --opponent {params.opponent:q}"
        " --data {params.data:q}"
        " --template {input.template:q}"
        " --replies {PLACES.replies:q}"
        " --output {params.directory:q}"
        " 2>{log:q}"


rule judge_rivals:
    """Which points are the best, the scores say when all are there. They meet seed by seed, on the test prompts."""
    input:
        code=code("judge_rivals.py"),
        lock=lock("workflow"),
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
    localrule: True
    params:
        asked=planned("plan.judge.asked"),
        rivals=planned("plan.judge.settings.rivals"),
        metric=planned("plan.primary_metric"),
        directory=subpath(output.record, parent=True),
    message:
        "judge the best points of {wildcards.study} against each other"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --study-directory results/{wildcards.study:q}"
        " --template {input.template:q}"
        " --replies {PLACES.replies:q}"
        " --output {params.directory:q}"
        " 2>{log:q}"
