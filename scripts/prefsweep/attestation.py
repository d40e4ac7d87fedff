"""`provenance.json`: what a study's files were when its report was made, and by what code, on what machine."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from prefsweep.plan import Plan, PlannedData, PlannedModel
from prefsweep.planned_judge import ServedJudge
from prefsweep.provenance import ENGINES, checkout, hardware, installed_versions
from prefsweep.records.base import FileHash, Record, hashed_files

FILE = "provenance.json"
CRATE = "ro-crate-metadata.json"
"""Describes the same files as an RO-Crate, `provenance.json` among them."""
WRITERS = ("numpy", "scipy", "pandas", "pydantic", "jinja2", "altair", "vl-convert-python", "py3langid", "emoji")
"""What, beside the code of this project, a report's numbers, words and pictures come from."""
_HASHED_ELSEWHERE = frozenset({"adapter", "checkpoint", "merged"})
_WITHOUT_RECORD = frozenset({".measured", "logs", "measuring", "tracking", "training"})


class Attestation(Record):
    """Every record and report file by content, with the circumstances of the report."""

    study: str
    attested_at: str
    """ISO 8601, UTC."""
    plan_digest: str
    """Of all in `plan.json` but the estimates, which change as runs finish."""
    model: PlannedModel
    data: PlannedData
    judge: ServedJudge | None = None
    """The model that the study served as its judge."""
    checkout: dict[str, str]
    """`commit` and whether it was `edited`; empty where the code was no checkout."""
    hardware: dict[str, str]
    versions: dict[str, str]
    files: dict[str, str]
    """Path below the study's folder → SHA-256."""


def attest(study_directory: Path, files: Iterable[FileHash], code: Path) -> Attestation:
    """Of a study whose artefacts are `files`; `code` is a folder of the checkout that made its report."""
    plan = Plan.read(study_directory / "plan.json")
    return Attestation(
        study=plan.study,
        attested_at=datetime.now(UTC).isoformat(timespec="seconds"),
        plan_digest=plan.digest(),
        model=plan.model,
        data=plan.data,
        judge=plan.judge.served if plan.judge else None,
        checkout=checkout(code),
        hardware=hardware(),
        versions=installed_versions((*ENGINES, *WRITERS)),
        files={file.name: file.sha256 for file in files},
    )


def artefacts(study_directory: Path) -> list[FileHash]:
    """Every record and report file of a study, by content.

    Left out: weights, which the records hash; logs, training curves and what was measured ahead and not yet taken
    over, on which no record rests; and plan.json and plan.csv, whose estimates change as runs finish, so that its
    digest stands for them.
    """
    files = hashed_files(study_directory, _HASHED_ELSEWHERE | _WITHOUT_RECORD)
    return [file for file in files if file.name not in (FILE, CRATE, "plan.json", "plan.csv")]
