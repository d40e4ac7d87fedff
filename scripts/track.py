"""Log a study to MLflow as it stands in its report: to the server that MLFLOW_TRACKING_URI names, or to a sqlite file.

What is logged already is not logged again (docs/tracking.md). The environment `track` is made when it is first needed.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from prefsweep.comparison import compared
from prefsweep.credentials import given, without_secrets
from prefsweep.environments import DEVICES, SetupError, ensure, python_of
from prefsweep.experiment import experiment
from prefsweep.failures import StageError
from prefsweep.point_table import comparison_table
from prefsweep.records.tracked import TrackedStudy
from prefsweep.results import read_study
from prefsweep.run_table import runs_table
from prefsweep.spreadsheet import csv_text
from prefsweep.tracking_uri import VARIABLE, tracking_uri, without_account

_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
"""Unless the caller's environment says otherwise: MLflow's makers hear of nothing, a missing server is soon said to be
missing, and not every run is told of."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--study-directories", type=Path, nargs="+", required=True, help="results/<study>")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="whose environments are used (default: cpu)")
    parser.add_argument("--store", type=Path, required=True, help="where the sqlite file is, without a server")
    options = parser.parse_args()
    try:
        uri = tracking_uri(os.environ.get(VARIABLE), options.store)
        studies = [tracked(directory) for directory in options.study_directories]
        ensure(["track"], options.device)
    except StageError as error:
        sys.exit(f"track: {error}\n  remedy: {error.remedy}")
    except (SetupError, ValueError, OSError) as error:
        sys.exit(f"track: {error}")
    return max(abs(logged(study, uri, options.device)) for study in studies)


def tracked(directory: Path) -> TrackedStudy:
    """What there is to log of a study. Raises StageError when its report is missing, or is of other records."""
    report = directory / "report"
    if not (report / "index.html").exists():
        raise StageError("config", f"{report} has no page: there is nothing to log", "Run the study, or `partial`.")
    study = read_study(directory)
    comparison = compared(study)
    for table, now in (("runs.csv", runs_table), ("comparison.csv", comparison_table)):
        if csv_text(now(study, comparison)) != (report / table).read_text(encoding="utf-8"):
            remedy = "Make the report anew: run the study, or `partial` for what exists now."
            raise StageError("config", f"{report / table} is not what the records say now", remedy)
    return experiment(study, comparison)


def logged(study: TrackedStudy, uri: str, device: str) -> int:
    """Hand a study to the process that has MLflow; its exit status."""
    command = [str(python_of("track", device)), str(Path(__file__).with_name("log_experiment.py"))]
    address, account = without_account(uri)
    own = given(name for name in os.environ if name.startswith("MLFLOW_"))
    environment = without_secrets() | _SETTINGS | own | account | {VARIABLE: address}
    return subprocess.run(command, input=study.model_dump_json().encode(), env=environment).returncode


if __name__ == "__main__":
    sys.exit(main())
