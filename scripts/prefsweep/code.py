"""Which library modules a script uses, so that an edit re-runs exactly the rules that depend on it."""

import ast
from functools import cache
from pathlib import Path

from prefsweep.files import sha256_of, sha256_of_json


def imported_modules(script: Path) -> list[Path]:
    """The script and every module of this library it imports, directly or through others, in a stable order."""
    found: dict[Path, None] = {}
    waiting = [script]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = None
            waiting += _library_imports(path, script.parent)
    return [script, *sorted(found.keys() - {script})]


def code_revision(script: Path) -> str:
    """A hash of the script and of every module of this library it imports."""
    return sha256_of_json([sha256_of(path) for path in imported_modules(script)])


@cache
def _library_imports(path: Path, directory: Path) -> tuple[Path, ...]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    candidates = (directory / f"{name.replace('.', '/')}.py" for name in names if name.startswith("prefsweep."))
    return tuple(sorted(path for path in candidates if path.is_file()))
