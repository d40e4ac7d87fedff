# Which runs take place when points are screened (search.halving), for the rules of every stage. Functions only.


def decided(wildcards):
    """The list of the points that go on to such a run; none without screening, and before the first rung.

    A finished run keeps the inputs it had, so that a study that is screened from now on, or no more, trains nothing anew.
    """
    rung = wildcards.seed.partition(RUNG)[2]
    study = Path("results", wildcards.study)
    run = study / "runs" / wildcards.trained / f"seed-{wildcards.seed}"
    finished = is_finished(run)
    screened = was_screened(run) if finished else SHARED.plan.halving is not None
    following = f"rung-{rung}" if rung else END
    return f"{study}/admission/{following}.txt" if screened and rung != "1" else []


def last_share(wildcards):
    """Of the full run's steps, where a run ends: it begins anew when this changes."""
    rung = wildcards.seed.partition(RUNG)[2]
    return SHARED.plan.halving.shares[int(rung) - 1] if rung else 1


def decisions_of(wildcards):
    """Every decision of a study."""
    names = decided_on(SHARED.plan)
    return [f"results/{wildcards.study}/admission/{name}.json" for name in names]


def to_be_decided():
    """A pattern of the names of decisions that are open, each only below the study it is about."""
    patterns = ["(?!)"]
    for name, study in STUDIES.items():
        reopened = "|".join(open_decisions(PLACES.results / name, study.plan))
        if reopened:
            folder = re.escape(f"results/{name}/admission/")
            patterns.append(f"(?<={folder})(?:{reopened})")
    return "|".join(patterns)


def at_rung(wildcards):
    """The scores that a decision is about."""
    plan = STUDIES[wildcards.study].plan
    rung = rung_before(wildcards.next, plan)
    points = [point.id for point in plan.points if point.method != BASE]
    runs = [rung_id(point, plan.seeds[0], rung) for point in points]
    return [f"results/{wildcards.study}/runs/{run}/scores.json" for run in runs]


# The DAG is static, so that jobs of stopped points are there, too. They find their point missing, or an empty file, and
# leave empty ones. So does a rung's job that failed by itself: the decision about the others does not wait for it.
def unless_admitted(wildcards, input, output):
    """Shell: what ends the job of a point that does not go on."""
    lists = flatten(input.get("decided", []))
    tests = [f"grep -q '^{wildcards.trained} ' {shlex.quote(name)}" for name in lists]
    return "".join(f"{test} || {leave_empty(output)}; " for test in tests)


def unless_empty(handed):
    """Shell: what ends the job of a run that never reached the stage before, which left this input empty."""

    def skip(wildcards, input, output):
        given = input.get(handed, [])
        tests = [f"[ -s {shlex.quote(name)} ]" for name in flatten(given)]
        return "".join(f"{test} || {leave_empty(output)}; " for test in tests)

    return skip


def or_empty(wildcards, output):
    """Shell: what ends the job of a run that failed at a rung by its own doing."""
    return f" || {{ [ $? -eq {STOPPED_BY_ITSELF} ] && touch {shlex.join(output)}; }}"


def leave_empty(output):
    return f"{{ touch {shlex.join(output)}; exit 0; }}"


def flatten(names):
    return [names] if isinstance(names, str) else list(names)
