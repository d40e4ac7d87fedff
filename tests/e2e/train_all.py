"""Train on one settings file after another with the real engine, in one process; what came of each goes to stdout.

A training whose folder is called `poisoned-<n>` meets a NaN in one gradient of its n-th step, whose loss is a number.
"""

import json
import sys
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.records.base import read_document
from prefsweep.swift_settings import as_arguments

MARK = "TRAINED "


def poison(trainer: Any, folder: str) -> None:
    import torch

    def poisoned(gradient: Any) -> Any:
        return gradient * torch.nan if folder == f"poisoned-{trainer.state.global_step + 1}" else gradient

    next(p for p in trainer.model.parameters() if p.requires_grad).register_hook(poisoned)


def main() -> None:
    from prefsweep.training import (
        SwiftRLHF,
        train,
    )  # loads torch and ms-swift, which only the trainer's environment has

    train_unharmed = SwiftRLHF.train

    def train_with_poison(self: Any, trainer: Any) -> Any:
        poison(trainer, Path(trainer.args.output_dir).parent.name)
        return train_unharmed(self, trainer)

    SwiftRLHF.train = train_with_poison
    for settings in sys.argv[1:]:
        outcome: dict[str, Any] = {"settings": settings, "fit": None, "failure": None, "message": None}
        try:
            fitted = train(as_arguments(read_document(Path(settings))))
            outcome["fit"] = fitted and json.loads(fitted.model_dump_json())
        except StageError as error:
            outcome |= {"failure": error.failure, "message": str(error)}
        print(f"\n{MARK}{json.dumps(outcome)}", flush=True)


if __name__ == "__main__":
    main()
