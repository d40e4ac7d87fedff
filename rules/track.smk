# Purpose: the study in an experiment tracker, for those who keep one.
# In:      the report, complete or partial, and the records it was made from
# Out:     runs in MLflow: on the server that MLFLOW_TRACKING_URI names, else in results/.mlflow/


rule track:
    """Log the report as it is to MLflow; what is there already is not logged again (docs/tracking.md)."""
    input:
        code=code("track.py"),
        sender=code("log_experiment.py"),
    localrule: True
    shell:
        "{sys.executable:q} {input.code[0]:q}"
        " --study-directories {DIRECTORIES:q}"
        " --device {DEVICE}"
        " --store {PLACES.tracked:q}"
