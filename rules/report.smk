# Purpose: what is better, by how much, and how sure it is.
# In:      every run's records
# Out:     report/{index.html,{runs,comparison,tasks,hyperparameters,tries,rivals}.csv,samples.jsonl,comparison.{md,tex},methods.md,
#          references.bib,figures/}; provenance.json, ro-crate-metadata.json

TEMPLATES = sorted(
    os.path.relpath(path) for path in (ROOT / "scripts/prefsweep/templates").iterdir()
)
# What the methods section names and cites.
CATALOGUE = [
    os.path.relpath(path)
    for path in (*sorted(PLACES.methods.iterdir()), ROOT / "config/references.bib")
]

# Also run when something failed: the report lists failed runs, it never waits for them.
PARTIAL_REPORT = shlex.join(
    [
        *(sys.executable, os.path.relpath(ROOT / "scripts" / "partial.py")),
        *("--study-directories", *map(str, DIRECTORIES)),
    ]
)


rule compare:
    """Paired statistics, verdicts, tables, the page."""
    input:
        code=code("compare.py"),
        templates=TEMPLATES,
        catalogue=CATALOGUE,
        lock=lock("workflow"),
        scores=scores,
        judged=judgements,
        drifts=drifts,
        rivals=rivals,
        rewarded=rewards,
        decisions=decisions_of,
        traits="results/{study}/data/traits.json",
    # figures/ is made, too; Snakemake would leave a file of its own in a folder that it knows.
    output:
        page="results/{study}/report/index.html",
        runs="results/{study}/report/runs.csv",
        comparison="results/{study}/report/comparison.csv",
        printed="results/{study}/report/comparison.md",
        typeset="results/{study}/report/comparison.tex",
        methods="results/{study}/report/methods.md",
        references="results/{study}/report/references.bib",
        tasks="results/{study}/report/tasks.csv",
        hyperparameters="results/{study}/report/hyperparameters.csv",
        tries="results/{study}/report/tries.csv",
        rivals="results/{study}/report/rivals.csv",
        samples="results/{study}/report/samples.jsonl",
    log:
        "results/{study}/logs/compare.log",
    localrule: True
    params:
        plan=plan_digest,
    message:
        "compare every run of {wildcards.study}: tables and page"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --study-directory results/{wildcards.study:q}"
        " --output results/{wildcards.study:q}/report"
        " 2>{log:q}"


rule attest:
    """Hash every record and report file, so that anyone can tell whether one was changed."""
    input:
        code=code("attest.py"),
        scores=scores,
        page="results/{study}/report/index.html",
    output:
        "results/{study}/provenance.json",
        "results/{study}/ro-crate-metadata.json",
    log:
        "results/{study}/logs/attest.log",
    localrule: True
    message:
        "hash every record into provenance.json and ro-crate-metadata.json"
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directory results/{wildcards.study:q} 2>{log:q}"


if OVERVIEW:

    rule overview:
        """The comparisons of several models or data sets side by side."""
        input:
            code=code("overview.py"),
            templates=TEMPLATES,
            comparisons=expand("results/{study}/report/comparison.csv", study=STUDIES),
        output:
            page=OVERVIEW / "index.html",
            table=OVERVIEW / "overview.csv",
        log:
            OVERVIEW.with_name("logs") / "overview.log",
        localrule: True
        params:
            directory=subpath(output.page, parent=True),
        message:
            "put the studies side by side"
        shell:
            "{sys.executable:q} {input.code[0]:q}"
            " --study-directories {DIRECTORIES:q}"
            " --output {params.directory:q}"
            " 2>{log:q}"


rule partial:
    """The report of what exists right now."""
    input:
        code=code("compare.py"),
        all_of_it=code("partial.py"),
    localrule: True
    shell:
        PARTIAL_REPORT


rule verify:
    """Check hashes and weights, re-derive scores and report; non-zero exit if anything differs (docs/verify.md)."""
    input:
        code=code("verify.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directories {DIRECTORIES:q}"


rule tidy:
    """Drop merged weights; manifests, adapters, answers and the report stay."""
    input:
        code=code("tidy.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directories {DIRECTORIES:q}"
