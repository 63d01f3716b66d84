"""Whether a write-ahead log has been damaged behind its end: SQLite stops at the first bad frame and says nothing.

Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log. A transaction is written only after the one before
it is on the disk. So a bad frame is an unfinished last transaction, unless another transaction follows that one.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from gateway.buffer.connection import PAGE_BYTES

HEADER_BYTES, FRAME_HEADER_BYTES = 32, 24
FRAME_BYTES = FRAME_HEADER_BYTES + PAGE_BYTES
MAGIC = 0x377F0682
"""The lowest bit says that checksums are over big-endian words."""

Sum: TypeAlias = tuple[int, int]


def wal_is_damaged(path: Path) -> bool:
    """Whether committed transactions can no longer be reached; False for a log that is missing or empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return False
    if len(data) < HEADER_BYTES + FRAME_BYTES:
        return False
    magic, _version, _page, _count, salt_1, salt_2, *said = struct.unpack_from(">8I", data)
    order = ">" if magic & 1 else "<"
    if magic & ~1 != MAGIC or _checksum((0, 0), data[:24], order) != tuple(said):
        return True  # it lies in one sector, so a power loss does not tear it
    return _goes_on_after_bad_frame(data, (salt_1, salt_2), (said[0], said[1]), order)


def frames(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Page number and page of every whole frame, valid or not, oldest first."""
    for at in range(HEADER_BYTES, len(data) - FRAME_BYTES + 1, FRAME_BYTES):
        (page,) = struct.unpack_from(">I", data, at)
        yield page, data[at + FRAME_HEADER_BYTES : at + FRAME_BYTES]


def _goes_on_after_bad_frame(data: bytes, salt: Sum, before: Sum, order: str) -> bool:
    bad, transaction_over = False, False
    for at in range(HEADER_BYTES, len(data) - FRAME_BYTES + 1, FRAME_BYTES):
        _page, committed, salt_1, salt_2, *said = struct.unpack_from(">6I", data, at)
        ours = (salt_1, salt_2) == salt
        found = _checksum(before, data[at : at + 8], order)
        good = ours and _checksum(found, data[at + FRAME_HEADER_BYTES : at + FRAME_BYTES], order) == tuple(said)
        if transaction_over:
            return good
        bad = bad or not good
        transaction_over = bad and ours and committed != 0
        before = (said[0], said[1])
    return False


def _checksum(start: Sum, data: bytes, order: str) -> Sum:
    one, two = start
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
