# Purpose: screen then confirm (search.halving): who goes on to the next rung, and who to the end.
# In:      the scores of every point's run up to a rung, on the development half
# Out:     admission/<next>.json, the decision; admission/<next>.txt, the points that go on and where their runs begin


rule admit:
    """Rank the points at a rung; the best continue from their checkpoints, the others stop. A decision that stands stays."""
    input:
        code=code("admit.py"),
        lock=lock("workflow"),
        scores=at_rung,
    output:
        decision="results/{study}/admission/{next}.json",
        # Never missing, or a decision made again would train anew what was kept before.
        admitted=update("results/{study}/admission/{next}.txt"),
    log:
        "results/{study}/logs/admit-{next}.log",
    wildcard_constraints:
        next=to_be_decided(),
    localrule: True
    message:
        "admit: which points go on, {wildcards.study} to {wildcards.next}"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --decision {output.decision:q}"
        " 2>{log:q}"
