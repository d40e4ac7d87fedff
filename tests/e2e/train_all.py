"""Train on one settings file after another with the real engine, in one process; what was trained on goes to stdout."""

import json
import sys
from pathlib import Path

from prefsweep.records.base import read_document
from prefsweep.swift_settings import as_arguments

MARK = "TRAINED "

if __name__ == "__main__":
    from prefsweep.training import train  # loads torch and ms-swift, which only the trainer's environment has

    for settings in sys.argv[1:]:
        fitted = train(as_arguments(read_document(Path(settings))))
        print(f"\n{MARK}{json.dumps([settings, fitted.row_counts, fitted.adapter_norm])}", flush=True)
