"""Write config/study.schema.json from the typed study; editors complete and check study files with it."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from prefsweep.files import write_text
from prefsweep.methods import load_methods
from prefsweep.study import study_model

CONFIG = Path(__file__).resolve().parent.parent / "config"


def schema_text() -> str:
    """The schema of a study file with this catalogue of methods."""
    schema = _said_once(study_model(load_methods(CONFIG / "methods")).model_json_schema())
    return json.dumps(schema | {"title": "A prefsweep study"}, indent=2, ensure_ascii=False) + "\n"


def _said_once(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, with keys that many sections have in common described in one place instead of in each."""
    definitions = schema["$defs"]
    sections = [section["properties"] for section in definitions.values() if "properties" in section]
    texts = Counter((name, json.dumps(about)) for section in sections for name, about in section.items())
    shared = {name: json.loads(about) for (name, about), uses in texts.items() if uses > 2}
    for section in sections:
        section |= {name: {"$ref": f"#/$defs/{name}"} for name, about in section.items() if shared.get(name) == about}
    return schema | {"$defs": definitions | shared}


if __name__ == "__main__":
    write_text(CONFIG / "study.schema.json", schema_text())
