"""Keys of what is encrypted: made, changed, looked at. Reading never stops, and what is broken off is repeated."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from server.config import ServerConfig
from server.connectors.errors import MissingSecretError
from server.connectors.fetch.secrets import Secrets
from server.crypto.envelope import is_sealed
from server.crypto.masters import Masters, ReadMasters, new_line, place_of, read_masters, wrapping
from server.crypto.provider import Suite, checked
from server.facts.catalogue import SEALED
from server.fleet.broker_files import replace_file
from server.services.sealing import fact_place, hook_place, page_place, reseal_raw, waiting_place
from server.store import key_queries, log_queries, reward_pay
from server.store.database import Database
from server.store.database import masters_of as masters_in
from server.store.key_queries import DataKeyRow, Kept
from server.store.log_queries import Entry
from server.store.sealer import count_uses, is_older, opened, required_sealer
from shared.clock import WallMs
from shared.errors import ConfigError

BATCH = 500
"""Values of one transaction."""
NO_MASTER = "there is no master key: run `muster server keys init` (docs/howto/keys.md)"


def masters_of(config: ServerConfig) -> ReadMasters:
    """Reads the master keys that the settings name; none where what they name is not there."""

    def read() -> Masters:
        try:
            text = Secrets(config.secrets).fill(config.keys.master)
        except MissingSecretError:
            return {}
        return read_masters(text)

    return read


def open_database(config: ServerConfig) -> Database:
    """The database of a server, with the keys that open what is encrypted in it."""
    return Database(config.database.url, masters_of(config))


def add_master(config: ServerConfig) -> Path:
    """Add a master key to the file that the settings name, or begin it; ConfigError where it is not ours to write."""
    masters = masters_of(config)()
    found = re.fullmatch(r"\$\{secret:(.+)\}", config.keys.master)
    path = config.secrets / found[1] if found else None
    if path is None or (masters and not path.exists()):
        raise ConfigError(
            "the master keys are not in a file of this server's own: add a line NAME:BASE64 of 32 random bytes "
            "(`openssl rand -base64 32`) as the last one where they are kept, and run this again"
        )
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    replace_file(path, f"{text.rstrip()}\n{new_line(masters)}\n".lstrip(), 0o600)
    return path


async def ensure_keys(db: Database, suite: Suite, entry: Entry) -> list[DataKeyRow]:
    """Make the data keys that are missing, under the newest master key; all there are then."""
    async with db.writing() as connection:
        there = {row.purpose for row in await key_queries.data_key_rows(connection)}
        missing = [purpose for purpose in ("seal", "digest") if purpose not in there]
        for purpose in missing:
            await _add(connection, purpose, suite, entry.at_ms)
        if missing:
            await log_queries.append(connection, replace(entry, detail={"suite": suite}))
        return await key_queries.data_key_rows(connection)


async def rewrap(db: Database, entry: Entry) -> int:
    """Wrap every data key by the newest master key; how many were wrapped by another one. It can be repeated."""
    async with db.writing() as connection:
        masters = masters_in(connection)
        newest = _newest(masters)
        rows = [row for row in await key_queries.data_key_rows(connection) if row.master != newest]
        for row in rows:
            key = opened(row, masters)
            wrapped = wrapping(newest, masters, key.provider).seal(key.secret, place_of(row.id))
            await key_queries.set_wrapped(connection, row.id, newest, wrapped)
        if rows:
            await log_queries.append(connection, replace(entry, object=newest, detail={"keys": len(rows)}))
    return len(rows)


async def renew(db: Database, suite: Suite, entry: Entry) -> int:
    """Make a new data key, by which everything is sealed from now on; its number."""
    async with db.writing() as connection:
        await required_sealer(connection)
        number = await _add(connection, "seal", suite, entry.at_ms)
        await log_queries.append(connection, replace(entry, object=str(number), detail={"suite": suite}))
    return number


async def reseal(db: Database, progress: Callable[[int], None] = lambda _done: None) -> int:
    """Seal what older data keys have sealed by the newest one, a batch a transaction; how many values that were.

    It can be broken off and repeated.
    """
    done = 0
    for fact in SEALED:
        done = await _reseal_facts(db, fact, done, progress)
    for table in reward_pay.TABLES:
        done = await _reseal_rewards(db, table, done, progress)
    done = await _reseal_waiting(db, done, progress)
    for kept in key_queries.BODIES:
        done = await _reseal_bodies(db, kept, done, progress)
    return done


async def _reseal_facts(db: Database, fact: str, done: int, progress: Callable[[int], None]) -> int:
    after = ("", "")
    while True:
        async with db.writing() as connection:
            sealer = await required_sealer(connection)
            rows = await key_queries.sealed_facts(connection, fact, after, BATCH)
            if not rows:
                return done
            for row in rows:
                if is_older(sealer, row.value):
                    place = fact_place(fact, *row.row)
                    value = sealer.seal(sealer.open(row.value, place), place)
                    await key_queries.set_sealed_fact(connection, fact, row, value)
                    done += 1
            after = rows[-1].row
            await count_uses(connection, sealer)
        progress(done)


async def _reseal_rewards(db: Database, table: Table, done: int, progress: Callable[[int], None]) -> int:
    after: tuple[Any, ...] = ()
    while True:
        async with db.writing() as connection:
            sealer = await required_sealer(connection)
            rows = await key_queries.sealed_rows(connection, table, after, BATCH)
            if not rows:
                return done
            for row in rows:
                if is_older(sealer, row.value):
                    place = reward_pay.pay_place(table, row.row)
                    value = sealer.seal(sealer.open(row.value, place), place)
                    await key_queries.set_sealed(connection, table, row, value)
                    done += 1
            after = rows[-1].row
            await count_uses(connection, sealer)
        progress(done)


async def _reseal_waiting(db: Database, done: int, progress: Callable[[int], None]) -> int:
    after = 0
    while True:
        async with db.writing() as connection:
            sealer = await required_sealer(connection)
            rows = await key_queries.sealed_waiting(connection, after, BATCH)
            if not rows:
                return done
            for after, row in rows:
                raw = reseal_raw(sealer, row.value, waiting_place(*row.row))
                if raw is not None:
                    await key_queries.set_waiting_raw(connection, after, raw)
                    done += 1
            await count_uses(connection, sealer)
        progress(done)


async def _reseal_bodies(db: Database, kept: Kept, done: int, progress: Callable[[int], None]) -> int:
    after = 0
    while True:
        async with db.writing() as connection:
            sealer = await required_sealer(connection)
            bodies = await key_queries.bodies(connection, kept, after, 20)
            if not bodies:
                return done
            for one in bodies:
                after = one.number
                if is_sealed(one.body) and is_older(sealer, one.body):
                    place = page_place(after) if one.received_ms is None else hook_place(one.source, one.received_ms)
                    value = sealer.seal(sealer.open(one.body, place), place)
                    await key_queries.set_body(connection, kept, after, value)
                    done += 1
            await count_uses(connection, sealer)
        progress(done)


async def _add(connection: AsyncConnection, purpose: str, suite: Suite, at_ms: WallMs) -> int:
    masters = masters_in(connection)
    newest, provider = _newest(masters), checked(suite)
    rows = await key_queries.data_key_rows(connection)
    number = max((row.id for row in rows), default=0) + 1
    wrapped = wrapping(newest, masters, provider).seal(os.urandom(provider.key_bytes), place_of(number))
    row = DataKeyRow(number, purpose, suite, newest, wrapped, 0, at_ms, None)
    await key_queries.add_data_key(connection, row)
    return number


def _newest(masters: Masters) -> str:
    if not masters:
        raise ConfigError(NO_MASTER)
    return list(masters)[-1]
