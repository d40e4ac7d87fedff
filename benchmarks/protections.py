"""Does a test fail when the protection it is there for is taken out? Each one in turn, in a copy of this tree.

`protections.yaml` lists what docs/reliability.md promises, one line of code each, what stands in its place and the test
that must then fail. Tools for mutation testing change code at random; here each change is a promise that is broken.
"""

import argparse
import compileall
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from py_compile import PycInvalidationMode
from xml.etree import ElementTree

import psutil

from benchmarks.record import ROOT, record
from prefsweep.environments import root
from prefsweep.files import sha256_of, sha256_of_json
from prefsweep.records.base import Record
from prefsweep.yaml_file import load_yaml

CATALOGUE = ROOT / "benchmarks" / "protections.yaml"
LIMIT_SECONDS = 1800
"""Of one protection's test; one that waits for what never comes has a limit of its own."""
_MARK = "PREFSWEEP_WITHOUT"
"""In the environment of all that tests start: what outlives them is found by it."""
_BY_THE_TEST = ("AssertionError", "assert ", "Failed: ")
"""How the message of a test begins that failed by its own judgement, not for want of a fixture or an import."""


class Protection(Record):
    """One protection, how it is taken out, and what must be seen then."""

    rows: list[str]
    """Of docs/reliability.md, or the name of a gate below scripts/prefsweep/gates/."""
    what: str
    file: str
    text: str
    """Occurs once in the file."""
    instead: str
    test: str
    """pytest's name of it, below tests/."""
    ends: str | None = None
    """What else than a failed assertion the test may end with: the start of an exception's name and text."""

    def taken_out(self, tree: Path) -> str:
        """The file's text without the protection. Raises ValueError if it is not there exactly once."""
        written = (tree / self.file).read_text(encoding="utf-8")
        if (found := written.count(self.text)) != 1:
            raise ValueError(f"{self.what}: {self.file} has this {found} times, not once: {self.text}")
        return written.replace(self.text, self.instead)


class Catalogue(Record):
    """All of them, and the rows of docs/reliability.md that have none, with the reason."""

    protections: list[Protection]
    without: dict[str, str]


class Seen(Record):
    """What became of a protection's test without it."""

    key: str
    """Of the entry and the files it names: while they stay the same, it need not be seen again."""
    failed: bool
    how: str
    seconds: float


def read_catalogue() -> Catalogue:
    """`protections.yaml`. Raises YamlError or ValidationError."""
    return Catalogue.model_validate(load_yaml(CATALOGUE).value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", default=[], help="rows, or parts of tests' names")
    parser.add_argument("--kept", type=Path, help="JSON lines of what was seen: added to, and not looked at again")
    options = parser.parse_args()
    catalogue = read_catalogue()
    chosen = [one for one in catalogue.protections if not options.only or is_named(one, options.only)]
    with copy_of(ROOT) as tree:
        known = look(chosen, tree, options.kept)
        found = [known.get(key_of(one, tree)) for one in catalogue.protections]
    for one, seen in zip(catalogue.protections, found, strict=True):
        how = f"{'seen' if seen.failed else 'NOT SEEN'}: {seen.how}" if seen else "not looked at"
        print(f"{','.join(one.rows):12}  without {one.what}: {how}")
    record("protections", figures_of(catalogue, found))
    sys.exit(any(seen is not None and not seen.failed for seen in found))


def figures_of(catalogue: Catalogue, found: Sequence[Seen | None]) -> dict[str, float]:
    """How many are seen to fail, are not, and were not looked at; and whose rows of the matrix they are."""
    seen = [one for one, what in zip(catalogue.protections, found, strict=True) if what and what.failed]
    return {
        "protections": len(found),
        "seen_to_fail": len(seen),
        "not_seen": sum(what is not None and not what.failed for what in found),
        "not_looked_at": found.count(None),
        "rows": len({row for one in catalogue.protections for row in one.rows} - gates()) + len(catalogue.without),
        "rows_seen": len({row for one in seen for row in one.rows} - gates()),
        "rows_without": len(catalogue.without),
        "seconds": sum(what.seconds for what in found if what),
    }


def gates() -> set[str]:
    """The names of the gates."""
    return {file.stem for file in (ROOT / "scripts" / "prefsweep" / "gates").glob("[!_]*.py")}


def is_named(protection: Protection, names: Sequence[str]) -> bool:
    """Whether it is of one of these rows, or has one of these in the name of its test."""
    return any(name in protection.rows or name in protection.test for name in names)


@contextmanager
def copy_of(checkout: Path) -> Iterator[Path]:
    """A copy of what git knows of, as it is now."""
    with tempfile.TemporaryDirectory(prefix="protections-") as folder:
        tree = Path(folder) / "tree"
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=checkout, check=True, stdout=subprocess.PIPE, text=True)
        for name in listed.stdout.split("\0")[:-1]:
            if (checkout / name).exists():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(checkout / name, tree / name, follow_symlinks=False)
        # By content: by its time, what changes twice within a second is taken for unchanged.
        compileall.compile_dir(tree, quiet=1, invalidation_mode=PycInvalidationMode.CHECKED_HASH)
        yield tree


def look(chosen: Sequence[Protection], tree: Path, kept: Path | None) -> dict[str, Seen]:
    """What becomes of each one's test without it, by its key, beside what is kept.

    Raises SystemExit where a test fails as it is.
    """
    known = {seen.key: seen for seen in (Seen.read_rows(kept) if kept and kept.exists() else ())}
    left = [(key, one) for one in chosen if (key := key_of(one, tree)) not in known]
    tests = sorted({one.test for _, one in left})
    print(f"{len(tests)} tests of {len(left)} protections, with all of them in place", flush=True)
    if tests and (what := failure(tests, tree)):
        raise SystemExit(f"with every protection in place: {what}")
    for number, (key, one) in enumerate(left, start=1):
        print(f"{number} of {len(left)}: {','.join(one.rows)} without {one.what}", flush=True)
        known[key] = without(one, key, tree)
        if kept and known[key].failed:
            with kept.open("a", encoding="utf-8") as stream:
                stream.write(known[key].model_dump_json() + "\n")
        print(f"  {'failed, as it must' if known[key].failed else 'NOT SEEN'}: {known[key].how}", flush=True)
    return known


def key_of(protection: Protection, tree: Path) -> str:
    files = (protection.file, f"tests/{protection.test.partition('::')[0]}")
    return sha256_of_json([protection.model_dump(), [sha256_of(tree / file) for file in files]])


def without(protection: Protection, key: str, tree: Path) -> Seen:
    """Take it out, run its test, put it back."""
    file, started = tree / protection.file, time.monotonic()
    whole = file.read_bytes()
    file.write_text(protection.taken_out(tree), encoding="utf-8")
    try:
        how = failure([protection.test], tree)
    finally:
        file.write_bytes(whole)
    expected = (*_BY_THE_TEST, *([protection.ends] if protection.ends else []))
    seconds = round(time.monotonic() - started, 1)
    return Seen(key=key, failed=how.startswith(expected), how=how or "the test passes", seconds=seconds)


def failure(tests: Sequence[str], tree: Path) -> str:
    """The first line of how the first of these tests fails; empty when all pass.

    What is left of them is ended: without its protection a process may outlive its test.
    """
    report = tree / "report.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-x", f"--junitxml={report}"]
    environment = os.environ | {"PREFSWEEP_ENVS": str(root()), _MARK: str(tree)}
    for of_the_caller in ("PYTHONPATH", "PYTEST_ADDOPTS"):
        environment.pop(of_the_caller, None)
    try:
        ended = subprocess.run(
            [*command, *(f"tests/{test}" for test in tests)],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return f"no end after {LIMIT_SECONDS} s"
    finally:
        end_marked(str(tree))
    if ended.returncode == 0:
        return ""
    return reported(report) or f"pytest ended with status {ended.returncode}: {ended.stdout[-400:]}"


def end_marked(mark: str) -> None:
    """SIGKILL for every process that a test has started and not ended."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get(_MARK) == mark:
                process.kill()


def reported(report: Path) -> str:
    """The first failure in pytest's report; one of a fixture or a collection begins with `error`."""
    if not report.exists():
        return ""
    for case in ElementTree.parse(report).iter("testcase"):
        for kind in ("error", "failure"):
            if (found := case.find(kind)) is not None:
                line = " ".join(found.get("message", "").split())[:160]
                return f"error in {case.get('name')}: {line}" if kind == "error" else f"{line} ({case.get('name')})"
    return ""


if __name__ == "__main__":
    main()
