"""A disk whose power is cut: `python -m tests.faults.volatile_disk DIRECTORY MOUNT SURVIVES CHANGES`.

It shows DIRECTORY at MOUNT until so many changes were made, or until it is unmounted, and leaves in DIRECTORY what a
power cut leaves. Of a file's content that is what was synced last. Of names, where SURVIVES is

- `synced`: those that a directory had when it was synced last. A synced directory is found under its name, as on every
  file system of Linux, although nobody synced those above it. POSIX promises no more.
- `named`: all, as an ext4 or XFS that had just written its journal. A file that was never synced, or was changed since,
  has the whole pages of its first half: nothing at all if it is small.
"""

import os
import shutil
import stat
import sys
from pathlib import Path

from mfusepy import FUSE

from tests.faults.passing_disk import PassingDisk

_PAGE_BYTES = 4096


class VolatileDisk(PassingDisk):
    """Keeps, beside the directory, what the disk holds of all that was changed since it was synced; see `leave`.

    No file or folder is removed before the end, so that an inode's number always means the same.
    """

    def __init__(self, directory: Path, survives: str, changes: int) -> None:
        super().__init__(directory)
        self._all_names = survives == "named"
        self._changes_left = changes
        self._aside = directory.with_name(f"{directory.name}.aside")
        self._aside.mkdir()
        self._contents: dict[int, Path] = {}
        """Of files that were changed since they were synced, by inode: what the disk has in their place."""
        self._names: dict[int, dict[str, int]] = {}
        """Of folders whose names were changed since they were synced, by inode: name → inode on the disk."""

    def create(self, path: str, mode: int) -> int:
        self._renaming(path)
        handle = super().create(path, mode)
        self._changing(handle)
        return handle

    def open(self, path: str, flags: int) -> int:
        if flags & os.O_TRUNC:
            self._changing(self.at(path))
        return super().open(path, flags)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        self._changing(fh)
        return super().write(path, data, offset, fh)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        self._changing(fh or self.at(path))
        super().truncate(path, length, fh)

    def mkdir(self, path: str, mode: int) -> None:
        self._renaming(path)
        super().mkdir(path, mode)

    def symlink(self, target: str, source: str) -> None:
        self._renaming(target)
        super().symlink(target, source)

    def rename(self, old: str, new: str) -> None:
        self._renaming(old)
        self._renaming(new)
        if os.path.lexists(self.at(new)):
            self._put_aside(new)
        super().rename(old, new)

    def unlink(self, path: str) -> None:
        self._renaming(path)
        self._put_aside(path)

    def rmdir(self, path: str) -> None:
        if any(self.at(path).iterdir()):
            super().rmdir(path)  # which raises
        self._renaming(path)
        self._put_aside(path)

    def fsync(self, path: str, datasync: int, fh: int) -> None:
        self._count()
        self._contents.pop(os.fstat(fh).st_ino, None)

    def fsyncdir(self, path: str, datasync: int, fh: int) -> None:
        self._count()
        self._names.pop(_inode(self.at(path)), None)
        folder = self.at(path)
        while folder != self.directory:
            if (known := self._names.get(_inode(folder.parent))) is not None:
                known[folder.name] = _inode(folder)
            folder = folder.parent

    def _count(self) -> None:
        """Before each change: there is power for so many."""
        if not self._changes_left:
            self.leave()
            os._exit(0)
        self._changes_left -= 1

    def _changing(self, file: int | Path) -> None:
        """Before a file's content changes."""
        self._count()
        path = Path(f"/proc/self/fd/{file}") if isinstance(file, int) else file
        inode = path.stat().st_ino
        if inode not in self._contents:
            self._contents[inode] = self._aside / f"content-{inode}"
            shutil.copyfile(path, self._contents[inode])

    def _renaming(self, path: str) -> None:
        """Before what a name in a folder stands for changes."""
        self._count()
        folder = self.at(path).parent
        self._names.setdefault(_inode(folder), _listed(folder))

    def _put_aside(self, path: str) -> None:
        self.at(path).rename(self._aside / f"inode-{_inode(self.at(path))}")

    def leave(self) -> None:
        """Put in the directory's place what a power cut leaves of it."""
        places = {_inode(path): path for path in [*self._aside.iterdir(), self.directory, *self.directory.rglob("*")]}
        left = self._aside / "left"
        self._restore(_inode(self.directory), left, places)
        self.directory.rename(self._aside / "former")
        left.rename(self.directory)
        shutil.rmtree(self._aside)

    def _restore(self, inode: int, target: Path, places: dict[int, Path]) -> None:
        source = places[inode]
        status = source.lstat()
        if stat.S_ISLNK(status.st_mode):
            target.symlink_to(source.readlink())
        elif stat.S_ISDIR(status.st_mode):
            target.mkdir()
            now = _listed(source)
            for name, entry in (now if self._all_names else self._names.get(inode, now)).items():
                self._restore(entry, target / name, places)
        elif inode in self._contents and self._all_names:
            target.write_bytes(source.read_bytes()[: status.st_size // 2 // _PAGE_BYTES * _PAGE_BYTES])
        else:
            shutil.copyfile(self._contents.get(inode, source), target)
        shutil.copystat(source, target, follow_symlinks=False)


def _inode(path: Path) -> int:
    return path.lstat().st_ino


def _listed(folder: Path) -> dict[str, int]:
    return {entry.name: entry.inode() for entry in os.scandir(folder)}


if __name__ == "__main__":
    os.umask(0)  # the kernel has applied the caller's
    directory, mount, survives, changes = sys.argv[1:]
    disk = VolatileDisk(Path(directory), survives, int(changes))
    FUSE(disk, mount, foreground=True, nothreads=True, use_ino=True)
    disk.leave()
