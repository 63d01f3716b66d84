"""Vendors' calls: checked and kept at once, worked on a moment later."""

import asyncio
from typing import Any

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError
from server.connectors.contacts import without_contacts
from server.connectors.errors import ReplyError
from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import Mapped, Rejected, map_rows
from server.connectors.push.body import MOST_BYTES
from server.connectors.push.errors import SignatureError, TooLargeError
from server.connectors.push.hooks import HookCall, HookSecrets, Taken, Vendor, take, wecom_echo
from server.connectors.reply import read_reply
from server.connectors.source_file import Hook, Source, Stream
from server.services.sealing import has_pay, hook_place, open_bytes, seal_bytes
from server.services.sent import Sender, store_sent
from server.services.sources import load_source
from server.store import push_queries, source_queries
from server.store.database import Database
from server.store.push_queries import HookBody
from shared.clock import Clocks, WallMs, from_ms
from shared.errors import DataError, MusterError

LOOK_S = 1.0
AT_ONCE = 100

log = structlog.get_logger("server.connectors")


async def receive(db: Database, name: str, call: HookCall, secrets: Secrets, now_ms: WallMs) -> bool:
    """Keep a call that the vendor has signed, without personal contact details; False where it came before."""
    if len(call.body) > MOST_BYTES:
        raise TooLargeError(f"more than {MOST_BYTES} bytes")
    source, hook = await _hook(db, name, call.vendor)
    taken = take(call, _secrets(hook, secrets))
    async with db.writing() as connection:
        return await push_queries.keep_body(
            connection,
            source=name,
            vendor=hook.vendor,
            delivery=taken.delivery,
            body=await _sealed(connection, source, _kept(source, taken), now_ms),
            at_ms=now_ms,
        )


async def echo(db: Database, name: str, call: HookCall, secrets: Secrets) -> bytes:
    """What WeCom wants to hear before its first call."""
    _, hook = await _hook(db, name, call.vendor)
    if hook.vendor != "wecom":
        raise NotFoundError(f"{call.vendor} does not ask before it calls")
    return wecom_echo(call, _secrets(hook, secrets))


async def work_off(db: Database, clocks: Clocks) -> int:
    """Work on calls that wait; how many there were."""
    async with db.reading() as connection:
        waiting = await push_queries.waiting_bodies(connection, AT_ONCE)
    for body in waiting:
        try:
            await _work(db, body, clocks.wall_ms())
        except MusterError as error:
            log.warning("hook_failed", source=body.source, number=body.id, reason=str(error))
            await _failed(db, body, clocks.wall_ms(), getattr(error, "code", "failed"))
        except Exception:
            log.exception("hook_failed", source=body.source, number=body.id)
            await _failed(db, body, clocks.wall_ms(), "internal")
    return len(waiting)


async def run(db: Database, clocks: Clocks) -> None:
    """Until it is cancelled."""
    while True:
        if not await work_off(db, clocks):
            await asyncio.sleep(LOOK_S)


async def _hook(db: Database, name: str, vendor: Vendor) -> tuple[Source, Hook]:
    async with db.reading() as connection:
        try:
            row, source = await load_source(connection, name)
        except NotFoundError as error:
            raise SignatureError("no such source") from error
    if source.hook is None or source.hook.vendor != vendor or row.disabled:
        raise SignatureError(f"{name} is not called by {vendor}")
    return source, source.hook


def _secrets(hook: Hook, secrets: Secrets) -> HookSecrets:
    aes_key = "" if hook.aes_key is None else secrets.fill(hook.aes_key)
    return HookSecrets(secrets.fill(hook.secret), aes_key, hook.receiver or "")


def _kept(source: Source, taken: Taken) -> bytes:
    """Without what no stream reads of people's contacts; what is no JSON is kept as it is, to be looked at."""
    try:
        value = msgspec.json.decode(taken.payload)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return taken.payload
    [kept] = without_contacts([value], *source.streams)
    return msgspec.json.encode(kept)


async def _sealed(connection: AsyncConnection, source: Source, body: bytes, at_ms: WallMs) -> bytes:
    """A body that may carry pay is kept encrypted."""
    for stream in source.streams:
        if has_pay(stream.fact):
            return await seal_bytes(connection, stream.fact, body, hook_place(source.source, at_ms))
    return body


async def _work(db: Database, body: HookBody, now_ms: WallMs) -> None:
    """Every stream takes from a call what is its own; what fits none waits as rows of the first."""
    async with db.writing() as connection:
        if not await push_queries.set_body_done(connection, body.id, now_ms, None):
            return  # another process was faster
        await source_queries.hold(connection, body.source)
        row, source = await load_source(connection, body.source)
        plain = await open_bytes(connection, body.body, hook_place(body.source, body.received_ms))
        found = [read for stream in source.streams if (read := _read(source, stream, plain, now_ms)) is not None]
        fitting = [read for read in found if any(isinstance(one, Mapped) for one in read[2])] or found[:1]
        if not fitting:
            raise DataError("no stream of the source finds rows in the call", "schema_changed")
        for stream, rows, mapped in fitting:
            await store_sent(connection, Sender(row, source, "hook", now_ms), stream, rows, mapped)


def _read(
    source: Source, stream: Stream, body: bytes, now_ms: WallMs
) -> tuple[Stream, list[Any], list[Mapped | Rejected]] | None:
    """A stream with the rows that it finds in a call."""
    try:
        rows = read_reply(source, stream, body).rows
    except ReplyError:
        return None
    return (stream, rows, list(map_rows(source, stream, rows, now=from_ms(now_ms)))) if rows else None


async def _failed(db: Database, body: HookBody, now_ms: WallMs, code: str) -> None:
    async with db.writing() as connection:
        await push_queries.set_body_done(connection, body.id, now_ms, code)
