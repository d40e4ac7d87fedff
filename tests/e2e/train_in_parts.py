"""Train each of some settings files in one go, then to the step after `@` and on from there; hashes go to stdout."""

import json
import sys
from pathlib import Path
from typing import Any

from prefsweep.files import sha256_of
from prefsweep.records.base import read_document
from prefsweep.records.train import Fit
from prefsweep.swift_settings import as_arguments

MARK = "PARTS "


def trained(settings: dict[str, Any], folder: str, until: int | None = None, start: Fit | None = None) -> Fit:
    """One training with its checkpoints in a folder of their own."""
    from prefsweep.training import train  # loads torch and ms-swift, which only the trainer's environment has

    own = settings | {"output_dir": str(Path(settings["output_dir"]) / folder)}
    if start:
        own["resume_from_checkpoint"] = str(start.checkpoint)
    fitted = train(as_arguments(own), until)
    assert fitted is not None
    return fitted


def adapter(fitted: Fit) -> str:
    return sha256_of(fitted.checkpoint / "adapter_model.safetensors")


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        path, _, step = argument.partition("@")
        document = read_document(Path(path))
        whole = trained(document, "whole")
        first = trained(document, "first", until=int(step))
        both = trained(document, "both", start=first)
        found = {
            "adapters": [adapter(fitted) for fitted in (whole, first, both)],
            "steps": [whole.steps, first.steps, both.steps],
            "losses": [[step.loss for step in fitted.history] for fitted in (whole, both)],
            "counts": [whole.row_counts, both.row_counts],
            "tokens": [whole.tokens, both.tokens],
        }
        print(f"\n{MARK}{json.dumps([path, found])}", flush=True)
