"""Where training curves go beside prefsweep's own records: into the run's folder, and nowhere else unless told.

TensorBoard is there by default, as in ms-swift; others where a study asks for them and the train environment has them.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prefsweep.credentials import given

FOLDER = "tracking"
"""Below the run's folder; what earlier attempts left there is removed."""
NONE = "none"
DEFAULT = ["tensorboard"]
_INTEGRATIONS = ("tensorboard", "wandb", "mlflow", "swanlab", "trackio")
OFFLINE = {
    "WANDB_MODE": "offline",
    "WANDB_ERROR_REPORTING": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",  # Hugging Face's libraries, trackio among them
}
"""Unless the caller's environment says otherwise. Nothing is sent, no usage or error report either."""

_SECRETS = {
    "wandb": ("WANDB_API_KEY",),
    "mlflow": (
        *("MLFLOW_TRACKING_TOKEN", "MLFLOW_TRACKING_PASSWORD"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    ),
    "swanlab": ("SWANLAB_API_KEY",),
    "trackio": ("HF_TOKEN",),
}
"""Integration → variables that the trainer is handed for it, if they are set; it gets no other secrets."""


def known_integrations(names: list[str] | None) -> list[str] | None:
    """The value of `report_to`. Raises ValueError with a remedy for a name that is not supported."""
    for name in names or []:
        if name not in (*_INTEGRATIONS, NONE):
            raise ValueError(f"report_to cannot be {name!r}; choose from {', '.join((*_INTEGRATIONS, NONE))}")
    if names and NONE in names and len(names) > 1:
        raise ValueError("report_to is either none or integrations; remove one")
    return names


def missing_integrations(names: list[str], lock: Path) -> list[str]:
    """Those that an environment does not have: its lock says what it has."""
    text = lock.read_text(encoding="utf-8")
    return [name for name in names if name != NONE and not re.search(rf"^{name}==", text, re.MULTILINE)]


def tracking_arguments(arguments: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What ms-swift is told of them; a study's own `report_to` and `swanlab_mode` take precedence."""
    names = arguments.get("report_to", DEFAULT)
    told: dict[str, Any] = {"report_to": names, "logging_dir": str(folder / "tensorboard")}
    return told | ({"swanlab_mode": "local"} if "swanlab" in names else {})


def read_late(names: list[str]) -> bool:
    """Whether these integrations read their environment when a run begins, not when the engine is loaded."""
    return set(names) <= {NONE, *DEFAULT}


def tracking_environment(folder: Path, names: list[str]) -> dict[str, str]:
    """What the integrations read from the environment: folders that are the run's, no network unless asked for, and
    the secrets of those that are used.
    """
    modes = {name: os.environ.get(name, mode) for name, mode in OFFLINE.items()}
    secrets = given(variable for name in names for variable in _SECRETS.get(name, ()))
    return (
        modes
        | secrets
        | {
            "TENSORBOARD_LOGGING_DIR": str(folder / "tensorboard"),
            "WANDB_DIR": str(folder),
            "MLFLOW_TRACKING_URI": os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}"),
            "SWANLAB_LOG_DIR": str(folder / "swanlab"),
            "TRACKIO_DIR": str(folder / "trackio"),
        }
    )
