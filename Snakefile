# prefsweep: which preference-optimisation method, at which hyperparameters, for this model and this data?
#
#   snakemake --cores all                                    the demo (config/demo.yaml)
#   snakemake --cores all --configfile config/NAME.yaml      a study of your own
#   snakemake TARGET --cores all --configfile …              plan: what would run · prefetch: all that needs a
#                                                            network · partial: a report now · verify: check it ·
#                                                            tidy: drop merged weights · track: log it to MLflow
from snakemake.utils import min_version

min_version("9.27")


# In the order data flows. Each file is one stage.
include: "rules/common.smk"  # the study, its plan, where things are
include: "rules/lookup.smk"  # what rules ask about a study
include: "rules/preflight.smk"  # what is made sure of before the first job
include: "rules/data.smk"  # the plan, one fair data set
include: "rules/screening.smk"  # which runs take place
include: "rules/admit.smk"  # which points go on to the end
include: "rules/train.smk"  # a LoRA per run, by ms-swift
include: "rules/merge.smk"  # fold it in; export the base the same way
include: "rules/measure.smk"  # serve with vLLM: answers, speed, lm-eval
include: "rules/score.smk"  # metrics per prompt
include: "rules/drift.smk"  # how far each answer is from the base
include: "rules/judge.smk"  # whose answers are better, where somebody is asked
include: "rules/reward.smk"  # what a reward model gives each answer, where there is one
include: "rules/report.smk"  # statistics, tables, the page
include: "rules/track.smk"  # into an experiment tracker, if somebody asks


rule all:
    """The comparison of the whole study."""
    default_target: True
    input:
        expand("results/{study}/report/index.html", study=STUDIES),
        expand("results/{study}/provenance.json", study=STUDIES),
        OVERVIEW_PAGE,


onerror:
    report_what_exists()
