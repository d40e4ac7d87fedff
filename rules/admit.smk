# Purpose: screen then confirm (search.halving): who goes on to the next rung, and who to the end. Without it, everyone.
# In:      the scores of every point's run up to a rung, on the development half
# Out:     admission/<next>.json, and for each point its fate there, an empty file where it is stopped
POINTS = [point.id for point in STUDY.plan.points if point.method != BASE]
RUNGS = STUDY.plan.halving.rungs if STUDY.plan.halving else 0


def decided(wildcards):
    """The point's fate where this run is decided on; every point reaches the first rung."""
    where = wildcards.seed.partition("/")[2] or "end"
    if where == "rung-1":
        return []
    return f"{STUDY_DIRECTORY}/admission/{where}/{wildcards.trained}"


def last_share(wildcards):
    """Of the full run's steps, where a run ends: it begins anew when this changes."""
    rung = wildcards.seed.partition(RUNG)[2]
    return STUDY.plan.halving.shares[int(rung) - 1] if rung else 1


DECISIONS = [
    f"{STUDY_DIRECTORY}/admission/{following}.json"
    for following in (*later_rungs(STUDY.plan), END)
]


def at_rung(wildcards):
    """The scores that a decision is about."""
    rung = rung_before(wildcards.next, STUDY.plan)
    runs = [rung_id(point, STUDY.plan.seeds[0], rung) for point in POINTS if rung]
    return [f"{STUDY_DIRECTORY}/runs/{run}/scores.json" for run in runs]


# The DAG is static, so that jobs of stopped points are there, too. They find an empty file and leave empty ones, and so
# does a rung's job that failed by itself: the decision about the others does not wait for it.
def unless_empty(name):
    return (
        f"for given in {{input.{name}:q}}; do"
        ' [ -s "$given" ] || {{ touch {output:q}; exit 0; }}; done; '
    )


OR_EMPTY = f" || {{{{ [ $? -eq {STOPPED_BY_ITSELF} ] && touch {{output:q}}; }}}}"


rule admit:
    """Rank the points at a rung; the best continue from their checkpoints, the others stop."""
    input:
        code=code("admit.py"),
        lock=lock("workflow"),
        scores=at_rung,
    output:
        decision="<study>/admission/{next}.json",
        fates=[
            # never missing, or a decision made again would train anew what was kept before
            update(f"<study>/admission/{{next}}/{point}")
            for point in POINTS
        ],
    log:
        "<study>/logs/admit-{next}.log",
    localrule: True
    params:
        halving=STUDY.plan.halving and STUDY.plan.halving.model_dump_json(),
    message:
        "admit: which points go on to {wildcards.next}"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --study-directory {STUDY_DIRECTORY}"
        " --next {wildcards.next}"
        " 2>{log:q}"
