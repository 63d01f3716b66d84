"""The ingest API: a signed batch of rows of one fact, taken once."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.errors import NotFoundError, TooManyTriesError
from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import map_rows
from server.connectors.push.body import read_batch, unpacked
from server.connectors.push.errors import RepeatedKeyError, SignatureError
from server.connectors.push.signature import Stamp, check
from server.connectors.source_file import Source, Stream
from server.services.sealing import has_pay
from server.services.sent import Sender, Sent, store_sent
from server.services.sources import load_source
from server.store import push_queries, source_queries
from server.store.database import Database
from server.store.push_queries import KeptReply
from server.store.sealer import sealer_of
from server.store.source_queries import SourceRow
from shared.clock import WallMs, from_ms

MINUTE_MS = 60_000
KEEP_NONCES_MS = 10 * MINUTE_MS
KEEP_REPLIES_MS = 7 * 24 * 60 * MINUTE_MS


@dataclass(frozen=True, slots=True)
class PushCall:
    """A call as it came."""

    source: str
    fact: str
    stamp: Stamp
    body: bytes
    """As sent, packed or not: that is what is signed."""
    encoding: str
    key: str | None
    """``Idempotency-Key``"""


async def accept(db: Database, call: PushCall, secrets: Secrets, now_ms: WallMs) -> Mapping[str, Any]:
    """Store the rows of a call and say what became of each; the same call again gets the same answer.

    SignatureError, TooManyTriesError, and the errors of the body; then nothing is stored.
    """
    async with db.reading() as connection:
        row, source, stream = await _signed(connection, call, secrets, now_ms)
    batch = read_batch(unpacked(call.body, call.encoding))
    key = call.key or batch.batch_id
    async with db.writing() as connection:
        digest = await _digest(connection, call, stream)
        await source_queries.hold(connection, call.source)
        await _once(connection, call, source, now_ms)
        known = await push_queries.reply_of(connection, call.source, key)
        if known is not None:
            if known.body_sha256 != digest:
                raise RepeatedKeyError(f"{key} came before, with another body")
            return known.reply
        mapped = list(map_rows(source, stream, batch.rows, now=from_ms(now_ms)))
        sender = Sender(row, source, "push", now_ms)
        reply = _reply(await store_sent(connection, sender, stream, batch.rows, mapped))
        await push_queries.keep_reply(connection, call.source, key, KeptReply(digest, reply), now_ms)
    return reply


async def _signed(
    connection: AsyncConnection, call: PushCall, secrets: Secrets, now_ms: WallMs
) -> tuple[SourceRow, Source, Stream]:
    """Whose call it is; one error for everything that a stranger could ask about."""
    try:
        row, source = await load_source(connection, call.source)
    except NotFoundError as error:
        raise SignatureError("no such source") from error
    if source.push is None or row.disabled:
        raise SignatureError(f"{call.source} takes no push")
    known = [secrets.fill(one) for one in source.push.secrets]
    check(call.stamp, call.body, known, now_ms / 1000)
    streams = [stream for stream in source.streams if stream.fact == call.fact]
    if not streams:
        raise NotFoundError(f"{call.source} sends no {call.fact}")
    return row, source, streams[0]


async def _digest(connection: AsyncConnection, call: PushCall, stream: Stream) -> bytes:
    """Of the body; under a key where a plain one would let everybody try which pay it says."""
    sealer = await sealer_of(connection) if has_pay(stream.fact) else None
    return hashlib.sha256(call.body).digest() if sealer is None else sealer.mac(call.body)


async def _once(connection: AsyncConnection, call: PushCall, source: Source, now_ms: WallMs) -> None:
    """The nonce is new, and the source does not call more often than it may."""
    most = source.limits.requests_per_minute
    if await push_queries.calls_since(connection, call.source, now_ms - MINUTE_MS) >= most:
        raise TooManyTriesError(MINUTE_MS // 1000)
    if not await push_queries.take_nonce(connection, call.source, call.stamp.nonce, now_ms):
        raise SignatureError("the nonce is used")


def _reply(sent: Sent) -> dict[str, Any]:
    return {
        "accepted": sent.counts.added + sent.counts.changed,
        "unchanged": sent.counts.unchanged,
        "quarantined": [{"row": one.number, "codes": list(one.codes)} for one in sent.rejected],
        "run_id": sent.run,
    }


async def forget(db: Database, now_ms: WallMs) -> None:
    """Let go of nonces, answers and vendors' calls that nobody can ask about any more."""
    async with db.writing() as connection:
        await push_queries.forget(
            connection,
            nonces_ms=now_ms - KEEP_NONCES_MS,
            replies_ms=now_ms - KEEP_REPLIES_MS,
            bodies_ms=now_ms - KEEP_REPLIES_MS,
        )
