"""What is kept encrypted in rows of business systems: pay, and everything that it came in.

Whoever keeps rows of a stream calls ``keep_page``, ``seal_raw`` or ``seal_bytes`` of this module and no other way in:
raw pages, waiting rows, bodies of calls and uploaded files. For streams without pay they keep what they are given.
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.contacts import only_mapped, without_contacts
from server.connectors.source_file import Stream
from server.crypto.envelope import Place, is_sealed
from server.facts.catalogue import SEALED
from server.store import source_queries
from server.store.sealer import NO_KEYS, Sealer, count_uses, is_older, required_sealer, sealer_of
from shared.clock import WallMs
from shared.errors import ConfigError

MASK = "***"
"""Instead of a value that is kept encrypted."""


def has_pay(fact: str) -> bool:
    """Whether rows of the fact carry what has to be encrypted."""
    return fact in SEALED


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
