# Which runs take place when points are screened (search.halving), for the rules of every stage. Functions only.
POINTS = [point.id for point in STUDY.plan.points if point.method != BASE]
DECISIONS = [
    f"{STUDY_DIRECTORY}/admission/{name}.json" for name in decided_on(STUDY.plan)
]


def decided(wildcards):
    """The list of the points that go on to such a run; none without screening, and before the first rung.

    A finished run keeps the inputs it had, so that a study that is screened from now on, or no more, trains nothing anew.
    """
    rung = wildcards.seed.partition(RUNG)[2]
    run = Path(STUDY_DIRECTORY, "runs", wildcards.trained, f"seed-{wildcards.seed}")
    finished = is_finished(run)
    screened = was_screened(run) if finished else STUDY.plan.halving is not None
    following = f"rung-{rung}" if rung else END
    return (
        f"{STUDY_DIRECTORY}/admission/{following}.txt"
        if screened and rung != "1"
        else []
    )


def last_share(wildcards):
    """Of the full run's steps, where a run ends: it begins anew when this changes."""
    rung = wildcards.seed.partition(RUNG)[2]
    return STUDY.plan.halving.shares[int(rung) - 1] if rung else 1


def at_rung(wildcards):
    """The scores that a decision is about."""
    rung = rung_before(wildcards.next, STUDY.plan)
    runs = [rung_id(point, STUDY.plan.seeds[0], rung) for point in POINTS]
    return [f"{STUDY_DIRECTORY}/runs/{run}/scores.json" for run in runs]


# The DAG is static, so that jobs of stopped points are there, too. They find their point missing, or an empty file, and
# leave empty ones. So does a rung's job that failed by itself: the decision about the others does not wait for it.
def unless_stopped(name, goes_on='[ -s "$given" ]'):
    return (
        f"for given in {{input.{name}:q}}; do {goes_on}"
        " || {{ touch {output:q}; exit 0; }}; done; "
    )


OR_EMPTY = f" || {{{{ [ $? -eq {STOPPED_BY_ITSELF} ] && touch {{output:q}}; }}}}"
