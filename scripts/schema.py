"""Write what follows from the typed study: config/study.schema.json for editors, docs/study-keys.md for people."""

import json
from pathlib import Path

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
    schema = study_model(load_methods(ROOT / "config" / "methods")).model_json_schema()
    return json.dumps(schema | {"title": "A prefsweep study"}, indent=2, ensure_ascii=False) + "\n"


def tables_text() -> str:
    """The reference of the same schema."""
    return _ABOUT + key_tables(json.loads(schema_text()))


if __name__ == "__main__":
    write_text(SCHEMA, schema_text())
    write_text(TABLES, tables_text())
