"""What is kept encrypted in rows of business systems: pay, and everything that it came in.

Whoever keeps rows of a stream calls ``keep_page``, ``seal_raw`` or ``seal_bytes`` of this module and no other way in:
raw pages, waiting rows, bodies of calls and uploaded files. For streams without pay they keep what they are given.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.contacts import only_mapped, without_contacts
from server.connectors.source_file import Stream
from server.crypto.envelope import Key, Place, is_sealed, key_number
from server.crypto.masters import Masters, place_of, wrapping
from server.crypto.provider import PROVIDERS, checked
from server.facts.catalogue import SEALED
from server.store import key_queries, source_queries
from server.store.database import masters_of
from server.store.key_queries import DataKeyRow
from shared.clock import WallMs
from shared.errors import ConfigError

MASK = "***"
"""Instead of a value that is kept encrypted."""
MOST_USES = 2**32
"""Values one key may seal: with random nonces more would risk a repeated one."""
NO_KEYS = "pay is kept encrypted, and there is no key yet: run `muster server keys init` (docs/howto/keys.md)"


@dataclass(slots=True, repr=False)
class Sealer:
    """The data keys of a database, for one transaction."""

    newest: Key
    digest: Key
    """For hashes that only who has the keys can compute; it does not change, so that what is unchanged stays so."""
    keys: dict[int, Key]
    used: int = 0
    """Values sealed so far."""

    def seal(self, plain: bytes, place: Place) -> bytes:
        """The value as it may be stored there."""
        self.used += 1
        return self.newest.seal(plain, place)

    def mac(self, data: bytes) -> bytes:
        """A hash under a key."""
        return self.digest.provider.mac(self.digest.secret, data)

    def open(self, sealed: bytes, place: Place) -> bytes:
        """The plain value; DataError ``sealed_changed`` where it was changed or moved."""
        number = key_number(sealed)
        if number not in self.keys:
            raise ConfigError(f"data key {number} is not in this database: restore the table data_keys with the rest")
        return self.keys[number].open(sealed, place)


def has_pay(fact: str) -> bool:
    """Whether rows of the fact carry what has to be encrypted."""
    return fact in SEALED


async def sealer_of(connection: AsyncConnection) -> Sealer | None:
    """The opened data keys; None where no key was ever made. ConfigError when a master key is missing."""
    rows = await key_queries.data_key_rows(connection)
    if not rows:
        return None
    masters = masters_of(connection)
    keys = {row.id: opened(row, masters) for row in rows}
    newest = {row.purpose: keys[row.id] for row in rows}
    return Sealer(newest["seal"], newest["digest"], keys)


async def required_sealer(connection: AsyncConnection) -> Sealer:
    """The opened data keys; ConfigError where there are none."""
    sealer = await sealer_of(connection)
    if sealer is None:
        raise ConfigError(NO_KEYS)
    return sealer


def opened(row: DataKeyRow, masters: Masters) -> Key:
    """A data key, unwrapped."""
    provider = checked(PROVIDERS[row.suite].name)  # type: ignore[index]
    secret = wrapping(row.master, masters, provider).open(row.wrapped, place_of(row.id))
    return Key(row.id, provider, secret)


async def count_uses(connection: AsyncConnection, sealer: Sealer) -> None:
    """Note how many values were sealed since; ConfigError when the key has done its share."""
    if not sealer.used:
        return
    number, more, sealer.used = sealer.newest.number, sealer.used, 0
    if await key_queries.count_uses(connection, number, more) > MOST_USES:
        raise ConfigError(f"data key {number} has sealed enough: run `muster server keys rotate`")


async def keep_page(
    connection: AsyncConnection, *, run: int, name: str, stream: Stream, at_ms: WallMs, rows: Sequence[Any]
) -> None:
    """Keep raw rows of a stream, to be mapped again when its map changes: without contacts, and sealed with pay.

    Without a key there is no pay in the map, so of a stream that may carry pay only what the map reads is kept.
    """
    kept = without_contacts(rows, stream)
    if not has_pay(stream.fact):
        await source_queries.keep_page(connection, run=run, name=name, stream=stream.id, at_ms=at_ms, rows=kept)
        return
    sealer = await sealer_of(connection)
    if sealer is None:
        kept = only_mapped(stream, kept, SEALED[stream.fact])
    await source_queries.keep_page(
        connection,
        run=run,
        name=name,
        stream=stream.id,
        at_ms=at_ms,
        rows=kept,
        seal=None if sealer is None else lambda number, body: sealer.seal(body, page_place(number)),
    )
    if sealer is not None:
        await count_uses(connection, sealer)


async def kept_page(connection: AsyncConnection, name: str, stream: Stream, after: int) -> tuple[int, list[Any]] | None:
    """The next raw page of a stream after that number, opened, with its own; None after the last."""
    sealer = await sealer_of(connection) if has_pay(stream.fact) else None

    def unseal(number: int, body: bytes) -> bytes:
        if not is_sealed(body):
            return body
        if sealer is None:
            raise ConfigError(NO_KEYS)
        return sealer.open(body, page_place(number))

    return await source_queries.kept_page(connection, name, stream.id, after, unseal)


def seal_raw(sealer: Sealer | None, stream: Stream, raw: Any, place: Place) -> Any:
    """A raw row as it may be kept as JSON: of a stream with pay sealed, or without a key only what its map reads."""
    if not has_pay(stream.fact):
        return raw
    if sealer is None:
        return only_mapped(stream, [raw], SEALED[stream.fact])[0]
    return {"sealed": base64.b64encode(sealer.seal(msgspec.json.encode(raw), place)).decode()}


def open_raw(sealer: Sealer | None, raw: Any, place: Place) -> Any:
    """The raw row of ``seal_raw`` again; one that was not sealed is as it is. ConfigError without a key."""
    if not (isinstance(raw, dict) and set(raw) == {"sealed"}):
        return raw
    if sealer is None:
        raise ConfigError(NO_KEYS)
    return msgspec.json.decode(sealer.open(base64.b64decode(raw["sealed"]), place))


def reseal_raw(sealer: Sealer, raw: Any, place: Place) -> Any | None:
    """A sealed raw row under the newest key; None where it is already, or was never sealed."""
    if not (isinstance(raw, dict) and set(raw) == {"sealed"}):
        return None
    sealed = base64.b64decode(raw["sealed"])
    if not is_older(sealer, sealed):
        return None
    return {"sealed": base64.b64encode(sealer.seal(sealer.open(sealed, place), place)).decode()}


def is_older(sealer: Sealer, sealed: bytes) -> bool:
    """Whether another key than the newest has sealed the value."""
    return key_number(sealed) != sealer.newest.number


async def seal_bytes(connection: AsyncConnection, fact: str, body: bytes, place: Place) -> bytes:
    """A body or file as it may be kept: sealed when its rows may carry pay. ConfigError where that needs a key."""
    if not has_pay(fact):
        return body
    sealer = await required_sealer(connection)
    sealed = sealer.seal(body, place)
    await count_uses(connection, sealer)
    return sealed


async def open_bytes(connection: AsyncConnection, body: bytes, place: Place) -> bytes:
    """The body of ``seal_bytes`` again."""
    return (await required_sealer(connection)).open(body, place) if is_sealed(body) else body


def page_place(number: int) -> Place:
    """Where a raw page belongs."""
    return Place("raw_pages", "body", (number,))


def hook_place(source: str, at_ms: WallMs) -> Place:
    """Where a vendor's call belongs: its number is not known before it is kept."""
    return Place("hook_bodies", "body", (source, at_ms))


def waiting_place(source: str, stream: str, digest: bytes) -> Place:
    """Where a waiting raw row belongs."""
    return Place("fact_quarantine", "raw", (source, stream, digest))


def fact_place(fact: str, source: str, key: str) -> Place:
    """Where the sealed fields of a row belong."""
    return Place(f"fact_{fact}", "sealed", (source, key))
