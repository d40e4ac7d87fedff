# Purpose: what is better, by how much, and how sure it is.
# In:      every run's records
# Out:     report/{index.html,runs.csv,comparison.csv,samples.jsonl}; provenance.json

SCORES = [f"{STUDY_DIRECTORY}/runs/{run}/scores.json" for run in RUNS]

# Also run when something failed: the report lists failed runs, it never waits for them. What attests to the whole
# study goes: that it is missing makes the next call do what is not done yet, though there is a page.
PARTIAL_REPORT = (
    f"rm -f {STUDY_DIRECTORY}/provenance.json"
    f" && {sys.executable} {os.path.relpath(ROOT / 'scripts' / 'compare.py')} --partial"
    f" --study-directory {STUDY_DIRECTORY} --output {STUDY_DIRECTORY}/report"
)


rule compare:
    """Paired statistics, verdicts, tables, the page."""
    input:
        code=code("compare.py"),
        templates=sorted(
            os.path.relpath(path)
            for path in (ROOT / "scripts/prefsweep/templates").iterdir()
        ),
        lock=lock("workflow"),
        scores=SCORES,
        decisions=DECISIONS,
        traits="<study>/data/traits.json",
    output:
        page="<study>/report/index.html",
        runs="<study>/report/runs.csv",
        comparison="<study>/report/comparison.csv",
        samples="<study>/report/samples.jsonl",
    log:
        "<study>/logs/compare.log",
    localrule: True
    params:
        plan=PLAN_DIGEST,
    message:
        "compare every run: tables and page"
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --study-directory {STUDY_DIRECTORY}"
        " --output {STUDY_DIRECTORY}/report"
        " 2>{log:q}"


rule attest:
    """Hash every record and report file, so that anyone can tell whether one was changed."""
    input:
        code=code("attest.py"),
        scores=SCORES,
        page="<study>/report/index.html",
    output:
        "<study>/provenance.json",
    log:
        "<study>/logs/attest.log",
    localrule: True
    message:
        "hash every record into provenance.json"
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directory {STUDY_DIRECTORY} --output {output:q}"
        " 2>{log:q}"


rule partial:
    """The report of what exists right now."""
    input:
        code=code("compare.py"),
    localrule: True
    shell:
        PARTIAL_REPORT


rule verify:
    """Re-derive every cell of the report from the hashed records; non-zero exit if any differs."""
    input:
        code=code("verify.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directory {STUDY_DIRECTORY}"


rule tidy:
    """Drop merged weights; manifests, adapters, answers and the report stay."""
    input:
        code=code("tidy.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q} --study-directory {STUDY_DIRECTORY}"
