"""Write config/study.schema.json from the typed study; editors complete and check study files with it."""

import json
from pathlib import Path

from prefsweep.files import write_text
from prefsweep.methods import load_methods
from prefsweep.study import study_model

CONFIG = Path(__file__).resolve().parent.parent / "config"


def schema_text() -> str:
    """The schema of a study file with this catalogue of methods."""
    schema = study_model(load_methods(CONFIG / "methods")).model_json_schema()
    return json.dumps(schema | {"title": "A prefsweep study"}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    write_text(CONFIG / "study.schema.json", schema_text())
