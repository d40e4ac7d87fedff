# Purpose: whose answers are better, the run's or the base's, in the eyes of the study's judge; only where it has one.
# In:      generations.jsonl of the run and of the base's run
# Out:     judged.jsonl, a verdict per prompt; judge.json, who judged and what it took


def judgements(wildcards):
    """Of every trained run, where the study has a judge."""
    plan = STUDIES[wildcards.study].plan
    runs = [run.id for run in plan.runs if plan.point_of(run.id).method != BASE]
    folder = f"results/{wildcards.study}/runs"
    return [f"{folder}/{run}/judge.json" for run in runs] if plan.judge else []


def opponent(wildcards):
    """The base's run that a run is judged against."""
    run = f"{wildcards.trained}/seed-{wildcards.seed}"
    return STUDIES[wildcards.study].plan.opponent(run)


def base_answers(wildcards):
    """That run's answers."""
    return f"results/{wildcards.study}/runs/{opponent(wildcards)}/generations.jsonl"


def judge_template(wildcards):
    """The file with the judge's question."""
    return os.path.relpath(ROOT / STUDIES[wildcards.study].plan.judge.template)


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
