"""A Python wheel that holds one file, as an index would give it, and the description that pins it."""

import hashlib
import zipfile
from pathlib import Path

from prefsweep.files import sha256_of


def write_wheel(folder: Path, package: str, member: str, content: str) -> dict[str, str]:
    """Write version 1.0 of `package` into `folder`; returns what `wheel:` of a description says about it."""
    folder.mkdir()
    module = package.replace("-", "_")
    path = folder / f"{module}-1.0-py3-none-any.whl"
    files = {
        member: content,
        f"{module}-1.0.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n",
        f"{module}-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{module}-1.0.dist-info/RECORD": "",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return {
        "package": package,
        "version": "1.0",
        "sha256": sha256_of(path),
        "member": member,
        "member_sha256": hashlib.sha256(content.encode()).hexdigest(),
    }
