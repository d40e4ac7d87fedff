"""Put a base model in place: fetched once, checked, shared by all studies; `model.json` is written last."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from prefsweep.failures import StageError
from prefsweep.model_store import fetch_model
from prefsweep.models import load_model_spec

_ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", required=True, help="a name in config/models/, or its contents as JSON")
    parser.add_argument(
        "--models-dir",
        type=Path,
        default=Path(os.environ.get("PREFSWEEP_MODELS", _ROOT / "models")),
        help="folder of fetched models (default: PREFSWEEP_MODELS, else models/)",
    )
    parser.add_argument("--config-dir", type=Path, default=_ROOT / "config" / "models")
    parser.add_argument("--uv", default=shutil.which("uv"), help="the uv command, for models from wheels")
    arguments = parser.parse_args()
    try:
        spec = load_model_spec(_model(arguments.model), arguments.config_dir)
        fetch_model(spec, arguments.models_dir, arguments.uv)
    except StageError as error:
        print(f"fetch failed ({error.failure}): {error}\n  remedy: {error.remedy}", file=sys.stderr)
        return 1
    except ValueError as error:
        print(f"fetch: {error}", file=sys.stderr)
        return 2
    return 0


def _model(text: str) -> str | dict[str, Any]:
    if not text.lstrip().startswith("{"):
        return text
    try:
        mapping: dict[str, Any] = json.loads(text)
    except ValueError as error:
        raise ValueError(f"--model is not valid JSON: {error}") from None
    return mapping


if __name__ == "__main__":
    sys.exit(main())
