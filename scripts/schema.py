"""Write what follows from the typed study: config/study.schema.json for editors, docs/study-keys.md for people."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

from prefsweep.files import write_text
from prefsweep.key_tables import key_tables
from prefsweep.methods import load_methods
from prefsweep.study import study_model

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "config" / "study.schema.json"
TABLES = ROOT / "docs" / "study-keys.md"
_ABOUT = """\
# Every key of a study file

Written by `make schema` from the typed study; [study.md](study.md) says how keys work together. A list is swept, a
scalar is fixed, a range is swept or drawn from; a method may have every key of `train`, too.

"""


def schema_text() -> str:
    """The schema of a study file with this catalogue of methods."""
    return json.dumps(_said_once(_schema()) | {"title": "A prefsweep study"}, indent=2, ensure_ascii=False) + "\n"


def tables_text() -> str:
    """The reference of the same schema."""
    return _ABOUT + key_tables(_schema())


def _schema() -> dict[str, Any]:
    return study_model(load_methods(ROOT / "config" / "methods")).model_json_schema()


def _said_once(schema: dict[str, Any]) -> dict[str, Any]:
    """The same schema, with keys that many sections have in common described in one place instead of in each."""
    definitions = schema["$defs"]
    sections = [section["properties"] for section in definitions.values() if "properties" in section]
    texts = Counter((name, json.dumps(about)) for section in sections for name, about in section.items())
    names: dict[tuple[str, str], str] = {}
    for name, about in (key for key, uses in texts.items() if uses > 2):
        forms = sum(other == name for other, _ in names)
        names[name, about] = name + f"_{forms + 1}" * bool(forms)
    for section in sections:
        keys = {name: names.get((name, json.dumps(about))) for name, about in section.items()}
        section |= {name: {"$ref": f"#/$defs/{shared}"} for name, shared in keys.items() if shared}
    return schema | {"$defs": definitions | {shared: json.loads(about) for (_, about), shared in names.items()}}


if __name__ == "__main__":
    write_text(SCHEMA, schema_text())
    write_text(TABLES, tables_text())
