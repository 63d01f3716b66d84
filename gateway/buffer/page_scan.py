"""Rows of a damaged database, found page by page without its own tables of contents: each row proves itself by digest.

Format: https://www.sqlite.org/fileformat2.html#b_tree_pages, tables with the columns (id, body, digest).
"""

import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from gateway.buffer.connection import PAGE_BYTES
from gateway.buffer.schema import SEQ_MASK
from gateway.buffer.wal_check import frames
from shared.keys import digest

DIGEST_TYPE = 12 + 2 * 32
"""Serial type of a blob of 32 bytes."""
NULL_TYPE = 0
LEAF_HEADER_BYTES = 8
FIRST_PAGE_HEADER_BYTES = 100
LOCAL_MOST = PAGE_BYTES - 35
LOCAL_LEAST = (PAGE_BYTES - 12) * 32 // 255 - 23

Page = Callable[[int], bytes]
"""The page of that number; empty when it is not in the file."""


def scan(database: Path, log: Path) -> Iterator[tuple[int, bytes]]:
    """(id, body) of every whole row in the file and in its write-ahead log; a row may come several times."""
    logged: dict[int, bytes] = {}
    for number, page in frames(log.read_bytes() if log.exists() else b""):
        logged[number] = page
        yield from _rows(page, 0, lambda n: logged.get(n, b""))
    if not database.exists():
        return
    with database.open("rb") as file:

        def read(number: int) -> bytes:
            file.seek((number - 1) * PAGE_BYTES)
            return file.read(PAGE_BYTES) if number else b""

        number = 1
        while page := read(number):
            yield from _rows(page, FIRST_PAGE_HEADER_BYTES if number == 1 else 0, lambda n: logged.get(n) or read(n))
            number += 1


def _rows(page: bytes, header: int, other: Page) -> Iterator[tuple[int, bytes]]:
    if len(page) < PAGE_BYTES:
        return
    (cells,) = struct.unpack_from(">H", page, header + 3)
    pointers = header + LEAF_HEADER_BYTES
    found: list[tuple[int, bytes | None]] = []
    for place in range(pointers, min(pointers + 2 * cells, PAGE_BYTES - 1), 2):
        (at,) = struct.unpack_from(">H", page, place)
        with suppress(IndexError, struct.error):
            found.append(_row(page, at, other))
    ids = [row_id for row_id, _ in found]
    for place, (row_id, body) in enumerate(found):
        if body is not None and _in_place(ids, place):
            yield row_id, body


def _in_place(ids: list[int], place: int) -> bool:
    """Whether neighbours of the same stream bear out an id, which no digest covers."""
    here = ids[place]
    steps = [abs(ids[near] - here) for near in (place - 1, place + 1) if 0 <= near < len(ids)]
    return here <= SEQ_MASK or 1 in steps or all(step > SEQ_MASK >> 1 for step in steps)


def _row(page: bytes, at: int, other: Page) -> tuple[int, bytes | None]:
    """Id and body of the row in a cell; no body when it is none of ours or not whole."""
    length, at = _varint(page, at)
    row_id, at = _varint(page, at)
    payload = _payload(page, at, length, other)
    header, place = _varint(payload, 0)
    id_type, place = _varint(payload, place)
    body_type, place = _varint(payload, place)
    digest_type, place = _varint(payload, place)
    if (id_type, digest_type, place) != (NULL_TYPE, DIGEST_TYPE, header) or body_type < 12 or body_type % 2:
        return row_id, None
    end = header + (body_type - 12) // 2
    body, said = payload[header:end], payload[end : end + 32]
    return row_id, body if digest(body) == said else None


def _payload(page: bytes, at: int, length: int, other: Page) -> bytes:
    if length <= LOCAL_MOST:
        return page[at : at + length]
    local = LOCAL_LEAST + (length - LOCAL_LEAST) % (PAGE_BYTES - 4)
    local = local if local <= LOCAL_MOST else LOCAL_LEAST
    parts = [page[at : at + local]]
    (following,) = struct.unpack_from(">I", page, at + local)
    missing = length - local
    while missing > 0 and following:
        more = other(following)
        if len(more) < PAGE_BYTES:
            break
        (following,) = struct.unpack_from(">I", more)
        parts.append(more[4 : 4 + missing])
        missing -= PAGE_BYTES - 4
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A big-endian base-128 number of at most nine bytes, the ninth a whole one; and the place after it."""
    value = 0
    for step in range(8):
        byte = data[at + step]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return value << 8 | data[at + 8], at + 9
