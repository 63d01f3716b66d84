"""Keys that wrap data keys: lines ``NAME:BASE64``, the newest last, kept outside the database."""

import base64
import os
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from server.crypto.envelope import Key, Place
from server.crypto.provider import CryptoProvider
from shared.errors import ConfigError

MASTER_BYTES = 32
Masters: TypeAlias = Mapping[str, bytes]
"""By name, in the order of their lines."""
ReadMasters: TypeAlias = Callable[[], Masters]
"""Read anew each time, so that a key added while the server runs is known at once."""
_LINE = re.compile(r"([a-z0-9-]{1,20}):([A-Za-z0-9+/]{43}=)")


def no_masters() -> Masters:
    """Where none are set up."""
    return {}


def read_masters(text: str) -> Masters:
    """Keys of a text; ConfigError names the line, never what is on it."""
    found: dict[str, bytes] = {}
    for number, line in enumerate(text.split(), start=1):
        match = _LINE.fullmatch(line)
        if match is None or match[1] in found:
            raise ConfigError(f"master keys, line {number}: expected NAME:BASE64 of 32 bytes, each name once")
        found[match[1]] = base64.b64decode(match[2])
    return found


def new_line(known: Masters) -> str:
    """A line with a new key under the next free name."""
    number = len(known) + 1
    while f"k{number}" in known:
        number += 1
    return f"k{number}:{base64.b64encode(os.urandom(MASTER_BYTES)).decode()}"


def wrapping(name: str, masters: Masters, provider: CryptoProvider) -> Key:
    """The key that wraps data keys of a suite; ConfigError when it is not among those there are."""
    if name not in masters:
        there = ", ".join(masters) or "none"
        raise ConfigError(
            f"master key {name} is needed to read what is encrypted, and the settings give {there}: "
            "put its line back (docs/howto/keys.md)"
        )
    derived = provider.mac(masters[name], b"muster data keys " + provider.name.encode())
    return Key(0, provider, derived[: provider.key_bytes])


def place_of(number: int) -> Place:
    """Where a wrapped data key belongs."""
    return Place("data_keys", "wrapped", (number,))
