"""Log a study to MLflow. It comes on stdin, as JSON, from track.py, which starts this in the environment `track`."""

import argparse
import os
import sys

from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from prefsweep.credentials import redacted
from prefsweep.failures import StageError
from prefsweep.mlflow_store import log_study
from prefsweep.records.tracked import TrackedStudy
from prefsweep.tracking_uri import VARIABLE


def main() -> int:
    argparse.ArgumentParser(description=__doc__).parse_args()
    study = TrackedStudy.model_validate_json(sys.stdin.buffer.read())
    address = os.environ[VARIABLE]
    try:
        outcomes = log_study(study, address)
    except (StageError, MlflowException, SQLAlchemyError, OSError) as error:
        remedy = getattr(error, "remedy", f"Check that what {VARIABLE} names is running and may be written.")
        print(redacted(f"{study.experiment} was not logged: {error}\n  remedy: {remedy}"), file=sys.stderr)
        return 1
    numbers = f"{outcomes['new']} runs new, {outcomes['replaced']} replaced, {outcomes['unchanged']} unchanged"
    print(f"{study.experiment}: {numbers}, in {address}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
