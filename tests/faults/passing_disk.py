"""A directory seen through a file system of our own (FUSE), so that what goes by can be looked at, or lost."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mfusepy import Operations

_STATUS = ("st_ino", "st_mode", "st_nlink", "st_size", "st_uid", "st_gid", "st_blocks")
_ROOM = ("f_bavail", "f_bfree", "f_blocks", "f_bsize", "f_favail", "f_ffree", "f_files", "f_frsize", "f_namemax")


class PassingDisk(Operations):  # type: ignore[misc]
    """Everything as it is in the directory, without hard links. Names begin with `/`, which is the directory itself."""

    use_ns = True

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def at(self, name: str) -> Path:
        """Where the directory has it."""
        return self.directory / name.lstrip("/")

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
        status = os.fstat(fh) if fh else self.at(path).lstat()
        times = {f"st_{time}time": getattr(status, f"st_{time}time_ns") for time in "amc"}
        return {name: getattr(status, name) for name in _STATUS} | times

    def statfs(self, path: str) -> dict[str, int]:
        room = os.statvfs(self.at(path))
        return {name: getattr(room, name) for name in _ROOM}

    def readdir(self, path: str, fh: int) -> Iterator[tuple[str, dict[str, int], int]]:
        for entry in os.scandir(self.at(path)):  # an entry whose inode is 0 counts as removed
            yield entry.name, {"st_ino": entry.inode(), "st_mode": entry.stat(follow_symlinks=False).st_mode}, 0

    def readlink(self, path: str) -> str:
        return str(self.at(path).readlink())

    def create(self, path: str, mode: int) -> int:
        return os.open(self.at(path), os.O_RDWR | os.O_CREAT, mode)

    def open(self, path: str, flags: int) -> int:
        return os.open(self.at(path), flags)

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
        return os.pread(fh, size, offset)

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
        return os.pwrite(fh, data, offset)

    def truncate(self, path: str, length: int, fh: int | None = None) -> None:
        os.truncate(fh or self.at(path), length)

    def release(self, path: str, fh: int) -> None:
        os.close(fh)

    def mkdir(self, path: str, mode: int) -> None:
        self.at(path).mkdir(mode)

    def symlink(self, target: str, source: str) -> None:
        self.at(target).symlink_to(source)

    def rename(self, old: str, new: str) -> None:
        self.at(old).rename(self.at(new))

    def unlink(self, path: str) -> None:
        self.at(path).unlink()

    def rmdir(self, path: str) -> None:
        self.at(path).rmdir()

    def chmod(self, path: str, mode: int) -> None:
        self.at(path).chmod(mode)

    def chown(self, path: str, uid: int, gid: int) -> None:
        os.chown(self.at(path), uid, gid, follow_symlinks=False)

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> None:
        os.utime(self.at(path), ns=times, follow_symlinks=False)
