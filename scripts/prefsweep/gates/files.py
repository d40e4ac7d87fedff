"""Before a stage loads a folder of the run: it is what the stage before left there."""

from collections.abc import Sequence

from prefsweep.failures import StageError
from prefsweep.records.base import FileHash


def check_files(manifest: str, folder: str, recorded: Sequence[FileHash], found: Sequence[FileHash]) -> None:
    """The files of `folder` are those that the manifest records: an adapter's too may make its reader execute code.

    Raises StageError("wrong_model") that names a file with both hashes.
    """
    left, right = ({file.name: file.sha256 for file in files} for files in (recorded, found))
    for name in sorted(left | right):
        if left.get(name) != right.get(name):
            raise StageError(
                "wrong_model",
                f"{folder}/{name} has sha256 {right.get(name, 'none: it is missing')}, {manifest} recorded "
                f"{left.get(name, 'no such file')}",
                f"Something changed {folder}/: delete the run's {manifest} and run the same command again.",
            )
