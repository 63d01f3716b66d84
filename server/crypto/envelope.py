"""A sealed value: version, algorithm, data key, nonce, cipher text, tag, in this order, bound to its place."""

import os
import struct
from dataclasses import dataclass

import msgspec

from server.crypto.provider import BY_NUMBER, NONCE_BYTES, TAG_BYTES, CryptoProvider
from shared.errors import DataError

VERSION = 1
_HEAD = struct.Struct(">BBI")
_encode = msgspec.msgpack.Encoder().encode
TENANT = "muster"
"""One installation serves one company."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value belongs: it can be opened nowhere else."""

    table: str
    column: str
    row: tuple[str | int | bytes, ...]
    """Primary key."""

    def about(self, head: bytes) -> bytes:
        """What is authenticated beside the value."""
        return head + _encode([TENANT, self.table, self.column, list(self.row)])


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A key for one suite, with its number in stored values."""

    number: int
    provider: CryptoProvider
    secret: bytes

    def seal(self, plain: bytes, place: Place) -> bytes:
        """The value as it may be stored, each time under a nonce of its own."""
        head = _HEAD.pack(VERSION, self.provider.number, self.number)
        nonce = os.urandom(NONCE_BYTES)
        return head + nonce + self.provider.seal(self.secret, nonce, plain, place.about(head))

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The plain value; DataError ``sealed_changed`` when it was changed, moved, or sealed by another key."""
        head, nonce = sealed[: _HEAD.size], sealed[_HEAD.size : _HEAD.size + NONCE_BYTES]
        if (key_number(sealed), sealed[1]) != (self.number, self.provider.number):
            raise DataError("an encrypted value belongs to another key", "sealed_changed")
        return self.provider.open(self.secret, nonce, sealed[_HEAD.size + NONCE_BYTES :], place.about(head))


def is_sealed(body: bytes) -> bool:
    """Whether these bytes begin as a sealed value does; text, JSON and packed bodies never do."""
    return len(body) >= _HEAD.size + NONCE_BYTES + TAG_BYTES and body[0] == VERSION and body[1] in BY_NUMBER


def key_number(sealed: bytes) -> int:
    """Number of the key that opens the value; DataError when it is no sealed value."""
    if not is_sealed(sealed):
        raise DataError("an encrypted value was cut, or is of a newer version", "sealed_changed")
    number: int = _HEAD.unpack_from(sealed)[2]
    return number
