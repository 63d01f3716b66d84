"""Pay in the database: nowhere readable, unchanged where it is unchanged, and readable again by who has the key."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import select, text, update
from sqlalchemy.exc import DBAPIError

from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import map_rows
from server.connectors.push.hooks import HookCall
from server.connectors.push.signature import Stamp
from server.connectors.saved import Saved, map_saved
from server.connectors.source_file import read_source
from server.crypto.masters import Masters, new_line, read_masters
from server.crypto.provider import Suite
from server.facts.catalogue import SEALED
from server.services import hooks, keys, push, sealing, sources
from server.services.fact_store import Arrival, Counts, store_page
from server.services.push import PushCall
from server.services.replay import replay
from server.store import key_queries, source_queries
from server.store.database import Database
from server.store.fact_rows import unsealed_values
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.schema import metadata
from server.store.sealer import MOST_USES, required_sealer
from server.store.source_tables import fact_quarantine, hook_bodies, push_replies, raw_pages
from shared.clock import system_clocks
from shared.errors import ConfigError, DataError, RetryableError

SHANGHAI = ZoneInfo("Asia/Shanghai")
NOW_MS = 1_780_000_000_000
ENTRY = Entry(NOW_MS, "cli", "test", "")
TEXT = """
source: oa
kind: webhook
push: {secrets: ["${secret:oa}"]}
timezone: Asia/Shanghai
streams:
  - fact: labour_contract
    key: id
    map: {employee_key: person, starts_on: {path: from, as: date}, pay_minor: {path: pay, as: money_minor}}
"""
SOURCE = read_source(TEXT, "oa.yaml")
STREAM = SOURCE.streams[0]
CONTRACTS = FACT_TABLES["labour_contract"]
PAY = "34567.89"
MINOR = 3_456_789


@dataclass
class Vault:
    """Master keys that a test may change."""

    masters: dict[str, bytes] = field(default_factory=dict)

    def add(self) -> None:
        self.masters |= read_masters(new_line(self.masters))

    def read(self) -> Masters:
        return self.masters


@pytest.fixture
def vault() -> Vault:
    made = Vault()
    made.add()
    return made


@pytest.fixture
async def db(migrated_url: str, vault: Vault) -> AsyncIterator[Database]:
    database = Database(migrated_url, vault.read)
    yield database
    await database.close()


def contract(key: str, pay: str | None = PAY, person: str = "p1", **more: Any) -> dict[str, Any]:
    return {"id": key, "person": person, "from": "2026-01-01", "pay": pay, **more}


async def put(db: Database, rows: Sequence[Any], run: int = 1) -> Counts:
    """A page as a run stores it."""
    async with db.writing() as connection:
        arrival = Arrival("oa", STREAM, SHANGHAI, run, NOW_MS + run)
        counts = await store_page(connection, arrival, map_rows(SOURCE, STREAM, rows))
        number = await source_queries.begin_run(
            connection,
            {"source": "oa", "stream": STREAM.id, "kind": "pull", "map_version": 1, "actor": "t", "started_ms": NOW_MS},
        )
        await sealing.keep_page(connection, run=number, name="oa", stream=STREAM, at_ms=NOW_MS, rows=rows)
    return counts


async def pay_of(db: Database, key: str) -> int | None:
    async with db.reading() as connection:
        sealer = await required_sealer(connection)
        sealed = await connection.scalar(select(CONTRACTS.c.sealed).where(CONTRACTS.c.source_key == key))
        if sealed is None:
            return None
        plain = sealer.open(sealed, sealing.fact_place("labour_contract", "oa", key))
    return unsealed_values("labour_contract", plain)["pay_minor"]


async def dump(db: Database) -> bytes:
    """Everything that is in the database, as text and as bytes."""
    found = []
    async with db.reading() as connection:
        for table in metadata.sorted_tables:
            for row in await connection.execute(select(table)):
                for value in row:
                    plain = (
                        bytes(value)
                        if isinstance(value, bytes | memoryview)
                        else json.dumps(value, default=str).encode()
                    )
                    found.append(plain)
    return b"\n".join(found)


@pytest.mark.parametrize("suite", ["intl", "sm"])
async def test_sec24_field_encryption_leaves_no_pay_in_the_database(db: Database, suite: Suite) -> None:
    await keys.ensure_keys(db, suite, ENTRY)
    bad = contract("C-2", "about 34567.89 yuan")
    assert await put(db, [contract("C-1"), bad, contract("", PAY)]) == Counts(added=1, waiting=2)
    assert await pay_of(db, "C-1") == MINOR
    there = await dump(db)
    assert b"34567" not in there
    assert MINOR.to_bytes(8, "big") not in there
    assert b"C-1" in there


async def test_what_is_unchanged_is_not_written_again(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await put(db, [contract("C-1"), contract("C-2", None)])
    assert await put(db, [contract("C-1"), contract("C-2", None)], run=2) == Counts(unchanged=2)
    assert await put(db, [contract("C-1", "34567.90"), contract("C-2", "1")], run=3) == Counts(changed=2)
    assert (await pay_of(db, "C-1"), await pay_of(db, "C-2")) == (3_456_790, 100)
    assert await put(db, [contract("C-2", None)], run=4) == Counts(changed=1)
    assert await pay_of(db, "C-2") is None


async def test_the_hash_of_a_row_does_not_tell_its_pay(migrated_url: str) -> None:
    """Who can read the database and knows everything of a row but its pay could try all pays by a plain hash."""
    hashes = []
    for _ in range(2):
        one = Vault()
        one.add()
        other = Database(migrated_url, one.read)
        async with other.writing() as connection:
            await connection.execute(text("DELETE FROM data_keys"))
            await connection.execute(CONTRACTS.delete())
        await keys.ensure_keys(other, "intl", ENTRY)
        await put(other, [contract("C-1")])
        async with other.reading() as connection:
            hashes.append(await connection.scalar(select(CONTRACTS.c.payload_hash)))
        await other.close()
    assert hashes[0] != hashes[1]


async def test_sec24_field_encryption_notices_swapped_rows(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await put(db, [contract("C-1"), contract("C-2", "1")])
    async with db.writing() as connection:
        other = select(CONTRACTS.c.sealed).where(CONTRACTS.c.source_key == "C-2").scalar_subquery()
        await connection.execute(update(CONTRACTS).where(CONTRACTS.c.source_key == "C-1").values(sealed=other))
    with pytest.raises(DataError, match="belongs elsewhere"):
        await pay_of(db, "C-1")


async def test_a_waiting_row_opens_by_its_place_and_stays_decided(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    bad = contract("C-2", "much", phone="13800000000")
    await put(db, [bad])
    async with db.reading() as connection:
        row = (await connection.execute(select(fact_quarantine))).one()
        sealer = await required_sealer(connection)
        raw = sealing.open_raw(sealer, row.raw, sealing.waiting_place(row.source, row.stream, row.digest))
    assert raw == contract("C-2", "much"), "contact details are not kept"
    assert row.fields == [{"field": "pay_minor", "code": "bad_number", "value": "***"}]
    async with db.writing() as connection:
        await connection.execute(update(fact_quarantine).values(state="rejected"))
    assert (await put(db, [bad], run=2)).waiting == 0
    assert (await put(db, [contract("C-2", "more")], run=3)).waiting == 1


async def test_kept_pages_are_mapped_again(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    await put(db, [contract("C-1")])
    async with db.writing() as connection:
        await connection.execute(update(CONTRACTS).values(sealed=None, payload_hash=bytes(16)))
    assert (await replay(db, "oa", STREAM, clocks=system_clocks(), entry=ENTRY)).changed == 1
    assert await pay_of(db, "C-1") == MINOR


async def test_without_a_key_pay_is_refused_and_what_is_kept_has_none(db: Database) -> None:
    with pytest.raises(ConfigError, match="muster server keys init"):
        await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    with pytest.raises(ConfigError, match="muster server keys init"):
        await put(db, [contract("C-1")])
    assert await put(db, [contract("C-1", None, pay_before="34567.89"), contract("", "34567.89")]) == Counts(
        added=1, waiting=1
    )
    assert b"34567" not in await dump(db)
    async with db.reading() as connection:
        page = await sealing.kept_page(connection, "oa", STREAM, 0)
    assert page is not None
    assert page[1][0] == {"id": "C-1", "person": "p1", "from": "2026-01-01"}


async def test_a_lost_master_key_is_named(db: Database, vault: Vault) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    vault.masters.clear()
    with pytest.raises(ConfigError, match="master key k1 is needed"):
        await put(db, [contract("C-1")])


async def test_sec25_key_rotation_keeps_everything_readable(db: Database, vault: Vault) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    rows = [contract(f"C-{number}", str(number)) for number in range(1, 6)]
    await put(db, [*rows, contract("C-9", "much")])
    await keys.renew(db, "sm", ENTRY)
    assert await pay_of(db, "C-1") == 100, "what the old key has sealed is readable beside what the new one seals"
    assert await put(db, [contract("C-7", "7")], run=2) == Counts(added=1)
    assert await keys.reseal(db) == 5 + 1 + 1
    assert await keys.reseal(db) == 0
    assert await put(db, rows, run=3) == Counts(unchanged=5), "a new key changes no row"
    vault.add()
    assert await keys.rewrap(db, ENTRY) == 3
    assert await keys.rewrap(db, ENTRY) == 0
    del vault.masters["k1"]
    assert [await pay_of(db, f"C-{number}") for number in (1, 5, 7)] == [100, 500, 700]
    async with db.reading() as connection:
        found = await key_queries.data_key_rows(connection)
        bodies = list(await connection.scalars(select(raw_pages.c.body)))
        page = await sealing.kept_page(connection, "oa", STREAM, 0)
    assert [(row.id, row.purpose, row.suite, row.master, row.retired_ms is None) for row in found] == [
        (1, "seal", "intl", "k2", False),
        (2, "digest", "intl", "k2", True),
        (3, "seal", "sm", "k2", True),
    ]
    assert {body[1] for body in bodies} == {2}, "all pages are SM4 by now"
    assert page is not None
    assert page[1][0] == rows[0]
    # 5 + 1 sealed facts and waiting, 1 page by the first; 1 + 1 page, then 7 again, then a page by the other.
    assert [row.uses for row in found] == [7, 0, 1 + 1 + 7 + 1]


async def test_sec25_a_vendors_call_that_waits_is_sealed_anew(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    place = sealing.hook_place("oa", 7)
    async with db.writing() as connection:
        body = await sealing.seal_bytes(connection, "labour_contract", b"a call", place)
        row = {"source": "oa", "vendor": "wecom", "body": body, "received_ms": 7}
        await connection.execute(hook_bodies.insert().values(row))
    await keys.renew(db, "sm", ENTRY)
    assert await keys.reseal(db) == 1
    async with db.reading() as connection:
        kept = await connection.scalar(select(hook_bodies.c.body))
        assert kept is not None
        assert kept[1] == 2, "SM4 by now"
        assert await sealing.open_bytes(connection, kept, place) == b"a call"
    assert await keys.reseal(db) == 0


async def test_a_rotation_broken_off_goes_on(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    await put(db, [contract(f"C-{number}", str(number)) for number in range(1, 6)])
    await keys.renew(db, "intl", ENTRY)
    monkeypatch.setattr(keys, "BATCH", 2)

    def stop(done: int) -> None:
        if done >= 4:
            raise RetryableError

    with pytest.raises(RetryableError):
        await keys.reseal(db, stop)
    assert [await pay_of(db, f"C-{number}") for number in range(1, 6)] == [100, 200, 300, 400, 500]
    assert await keys.reseal(db) == 2, "one row and the page are left"


async def test_a_key_that_has_done_its_share_is_refused(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    async with db.writing() as connection:
        await key_queries.count_uses(connection, 1, MOST_USES)
    with pytest.raises(ConfigError, match="keys rotate"):
        await put(db, [contract("C-1")])


def test_saved_replies_are_shown_without_pay() -> None:
    body = json.dumps([contract("C-1"), contract("C-2", "34567.89 or so")]).encode()
    shown = json.dumps(map_saved(SOURCE, [Saved("a.json", body)], SEALED).as_json())
    assert "34567" not in shown
    assert '"pay_minor": "***"' in shown
    assert str(MINOR) in json.dumps(map_saved(SOURCE, [Saved("a.json", body)]).as_json())


async def test_an_error_of_the_database_does_not_tell_values(db: Database) -> None:
    statement = text("SELECT * FROM no_such_table WHERE pay = :pay")
    async with db.reading() as connection:
        with pytest.raises(DBAPIError) as error:
            await connection.execute(statement, {"pay": MINOR})
    assert str(MINOR) not in str(error.value)


HOOK = """
source: oa
kind: webhook
hook: {vendor: shopify, secret: "${env:OA}"}
timezone: Asia/Shanghai
streams:
  - fact: labour_contract
    key: id
    map: {employee_key: person, starts_on: {path: from, as: date}, pay_minor: {path: pay, as: money_minor}}
"""


async def test_a_vendor_s_call_is_kept_sealed_and_worked_on(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, HOOK, "oa.yaml", ENTRY)
    body = json.dumps(contract("C-1")).encode()
    sign = base64.b64encode(hmac.digest(b"secret", body, "sha256")).decode()
    headers = {"x-shopify-hmac-sha256": sign, "x-shopify-webhook-id": "1"}
    secrets = Secrets(environ={"OA": "secret"})
    assert await hooks.receive(db, "oa", HookCall("shopify", body, headers, {}, NOW_MS / 1000), secrets, NOW_MS)
    assert b"34567" not in await dump(db)
    assert await hooks.work_off(db, system_clocks()) == 1
    assert await pay_of(db, "C-1") == MINOR
    assert b"34567" not in await dump(db)


async def test_a_push_is_answered_once_and_its_body_can_not_be_guessed(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    row = {"id": "C-1", "person": "p1", "from": "2026-01-01", "pay": PAY}
    body = msgspec.json.encode({"batch_id": "b-1", "rows": [row]})
    secrets = Secrets(folder=None, environ={"OA": "s" * 32})
    text = TEXT.replace("${secret:oa}", "${env:OA}")
    await sources.put_source(db, text, "oa.yaml", ENTRY)
    for nonce in ("n-1-00000000000000", "n-2-00000000000000"):
        at = str(NOW_MS // 1000)
        signed = f"{at}.{nonce}.".encode() + body
        stamp = Stamp(at, nonce, "v1=" + hmac.digest(b"s" * 32, signed, "sha256").hex())
        call = PushCall("oa", "labour_contract", stamp, body, "identity", "key-1")
        assert (await push.accept(db, call, secrets, NOW_MS))["accepted"] == 1
    async with db.reading() as connection:
        kept = await connection.scalar(select(push_replies.c.body_sha256))
    assert kept != hashlib.sha256(body).digest()
    assert b"34567" not in await dump(db)


async def test_sec25_key_rotation_under_load_loses_nothing(db: Database) -> None:
    await keys.ensure_keys(db, "intl", ENTRY)
    await sources.put_source(db, TEXT, "oa.yaml", ENTRY)
    rows = [contract(f"C-{number}", str(number)) for number in range(1, 41)]
    await put(db, rows)

    async def write() -> None:
        for turn in range(5):
            await put(db, [contract(f"C-{n}", str(n + 1000 * turn)) for n in range(1, 41)], run=2 + turn)

    async def rotate() -> None:
        for suite in ("sm", "intl"):
            await keys.renew(db, suite, ENTRY)
            await keys.reseal(db)

    async def read() -> None:
        for number in range(1, 21):
            assert await pay_of(db, f"C-{number}") is not None

    await asyncio.gather(write(), rotate(), read())
    assert [await pay_of(db, f"C-{n}") for n in (1, 20, 40)] == [400_100, 402_000, 404_000]
    assert await keys.reseal(db) >= 0
    assert await keys.reseal(db) == 0
