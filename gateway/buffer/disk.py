"""How full the outbox is, and the reserve that lets it shrink when the disk is full (reliability.md section 5)."""

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.buffer.connection import PAGE_BYTES, WAL_LIMIT_BYTES, Connection, number
from gateway.buffer.home import MIB, Home

WARN_PCT, DELETE_EARLY_PCT, LOGS_WAIT_PCT, FULL_PCT = 70, 85, 95, 100
CALM_PCT = 5
"""A level ends only that far below where it began, so that its alarm does not flap."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of rows and keys, and how many there may be: the quota, or less where the filesystem has less."""

    used: int
    limit: int

    @property
    def pct(self) -> int:
        """Whole percent, at most 100."""
        return min(100, self.used * 100 // self.limit) if self.limit > 0 else 100


def free_bytes(folder: Path) -> int:
    """What the filesystem still has for us; 0 when it does not say."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return 0
    return found.f_bavail * found.f_frsize


def measure(connection: Connection, home: Home) -> Usage:
    """How full the outbox is now. Pages that deleted rows left behind are free for new ones."""
    pages = number(connection, "pragma page_count")
    reusable = number(connection, "pragma freelist_count") * PAGE_BYTES
    used = pages * PAGE_BYTES - reusable
    room = max(0, free_bytes(home.folder) - WAL_LIMIT_BYTES)
    return Usage(used, min(home.limits.quota_mib * MIB, used + reusable + room))


class Ballast:
    """A file that is given up when the disk is full, so that acked rows can be deleted at all."""

    def __init__(self, home: Home) -> None:
        self._path = home.folder / "ballast"
        self._size = home.limits.ballast_mib * MIB

    @property
    def whole(self) -> bool:
        """Whether the reserve is there."""
        try:
            return self._path.stat().st_size >= self._size
        except OSError:
            return self._size == 0

    @property
    def there(self) -> bool:
        """Whether there is anything to give up."""
        return self._path.exists()

    def drop(self) -> None:
        """Give its blocks back to the filesystem."""
        self._path.unlink(missing_ok=True)

    def restore(self) -> bool:
        """Take the reserve when it is missing and the disk has twice as much; False while it is missing."""
        if self.whole:
            return True
        if free_bytes(self._path.parent) < 2 * self._size:
            return False
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self.drop()
            return False
        return True
