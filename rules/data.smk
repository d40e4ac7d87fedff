# Purpose: the plan, and one fair data set for every method.
# In:      the study file and what it names in config/models and config/datasets
# Out:     data/{pairs,labelled,heldout}.jsonl, their audit data.json, and what can be learnt from them cheaply, traits.json


rule plan:
    """Print the runs, their cost, and what to know before spending it; starts nothing."""
    input:
        code=code("plan.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q} {PLANS:q}"


rule prefetch:
    """Everything that needs a network: environments, the model, data from a hub. Then nothing needs it any more."""
    localrule: True
    shell:
        "echo 'environments, model and data are in place'"


rule prepare:
    """Check every row, split by prompt, drop what is too long for any method; the audit goes to data.json."""
    input:
        code=code("prepare.py"),
        lock=lock("workflow"),
        files=data_files,
    output:
        pairs="results/{study}/data/pairs.jsonl",
        labelled="results/{study}/data/labelled.jsonl",
        heldout="results/{study}/data/heldout.jsonl",
        audit="results/{study}/data/data.json",
    log:
        "results/{study}/logs/prepare.log",
    localrule: True
    params:
        dataset=dataset_as_asked,
        revision=planned("plan.data.revision"),
        max_length=planned("max_length"),
        directory=subpath(output.audit, parent=True),
    message:
        "prepare the data: check, split, filter, audit"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --plan results/{wildcards.study:q}/plan.json"
        " --dataset {params.dataset:q}"
        " --max-length {params.max_length}"
        " --downloads {PLACES.downloads:q}"
        " --output {params.directory:q}"
        " 2>{log:q}"


rule describe:
    """Measure what gives the data away and what it shares with tasks; decides nothing that is trained."""
    input:
        code=code("describe.py"),
        tasks=task_yamls,
        documents=documents,
        lock=lock("workflow"),
        audit="results/{study}/data/data.json",
        pairs="results/{study}/data/pairs.jsonl",
        labelled="results/{study}/data/labelled.jsonl",
        heldout="results/{study}/data/heldout.jsonl",
    output:
        "results/{study}/data/traits.json",
    log:
        "results/{study}/logs/describe.log",
    localrule: True
    params:
        directory=subpath(input.audit, parent=True),
        tasks=tasks,
        weights=weights,
    message:
        "describe the data: languages, rules without a model, what tasks share with it"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --data {params.directory:q}"
        " --tasks {params.tasks:q}"
        " --weights {params.weights:q}"
        " --output {output:q}"
        " 2>{log:q}"
