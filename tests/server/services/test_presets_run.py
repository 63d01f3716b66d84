"""Presets against systems in the shape of their vendors: signed in to, read page by page, and again after a change."""

import datetime as dt
import json
import re
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlencode

import pytest
from sqlalchemy import func, insert, select

from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import map_rows
from server.connectors.presets import load_preset, preset_text
from server.connectors.push.hooks import HookCall, cainiao_digest, kuaidi100_sign
from server.connectors.source_file import read_source
from server.services import hooks, sources
from server.services.fact_store import Arrival, store_page
from server.services.sync import Order, Run, run_source
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import identity_links
from server.store.tables import departments, employees, sites
from shared.clock import Clocks
from tests.server.connectors.faulty import peer
from tests.server.connectors.presets.vendors import NOW_MS, Vendor, vendors

ENTRY = Entry(1, "cli", "source.put", "")
ERP = 'source: erp\nkind: webhook\npush: {secrets: ["${secret:any}"], facts: [shipment]}\n'


class Names(dict[str, str]):
    """Every secret is its own name."""

    def __missing__(self, name: str) -> str:
        return name


SECRETS = Secrets(environ=Names())
CLOCKS = Clocks(lambda: NOW_MS, lambda: NOW_MS)


async def link(db: Database, source: str, people: Sequence[str]) -> None:
    async with db.writing() as connection:
        await connection.execute(insert(sites).values(id="s", name_zh="s", name_en="s", zone="Asia/Shanghai"))
        await connection.execute(insert(departments).values(id="d", name_zh="d", name_en="d"))
        joined = dt.date(2020, 1, 1)
        persons = [
            {"id": key, "name": key, "department": "d", "site": "s", "position": "", "joined_on": joined}
            for key in people
        ]
        links = [{"source": source, "employee_key": key, "valid_from": joined, "employee": key} for key in people]
        if people:
            await connection.execute(insert(employees), persons)
            await connection.execute(insert(identity_links), links)


async def ship(db: Database, carrier: str, parcels: Sequence[str]) -> None:
    """As an ERP tells that they left the house."""
    erp = read_source(ERP, "erp.yaml")
    told = {"carrier_code": carrier, "status": "shipped"}
    rows = [{"source_key": parcel, "tracking_no": parcel, **told} for parcel in parcels]
    async with db.writing() as connection:
        arrival = Arrival("erp", erp.streams[0], erp.zone, 1, NOW_MS)
        await store_page(connection, arrival, map_rows(erp, erp.streams[0], rows))


async def run(db: Database, preset: str, stream: str) -> Run:
    order = Order(clocks=CLOCKS, holder="test")
    [(_, done)] = await run_source(
        db, preset, lambda source: [one for one in source.streams if one.id == stream], SECRETS, order
    )
    return done


async def stored(db: Database, preset: str, stream: str) -> int:
    [fact] = {one.fact for one in load_preset(preset).streams if one.id == stream}
    table = FACT_TABLES[fact]
    async with db.reading() as connection:
        which = select(func.count()).where(table.c.source == preset, table.c.deleted.is_(False))
        return int(await connection.scalar(which) or 0)


@pytest.mark.parametrize("vendor", vendors(), ids=str)
async def test_a_preset_reads_its_system(db: Database, vendor: Vendor) -> None:
    vendor = next(one for one in vendors() if one.preset == vendor.preset)  # each database has a system of its own
    await link(db, vendor.preset, vendor.people)
    await ship(db, vendor.carrier, vendor.parcels)
    with peer(vendor) as system:
        text = preset_text(vendor.preset).replace("${secret:", "${env:")
        text = re.sub(r"(?m)^base_url: .*", f"base_url: {system.url}", text)
        text = re.sub(r"requests_per_minute: \d+", "requests_per_minute: 60000", text)
        await sources.put_source(db, text, "preset.yaml", ENTRY)

        first = await run(db, vendor.preset, vendor.stream)
        assert (first.state, first.message, first.pages) == ("ok", "", vendor.pages)
        assert (first.counts.added, first.counts.waiting) == (len(vendor.rows), 0)
        assert len(vendor.tokens) == (vendor.token is not None)

        vendor.change(vendor.rows)
        vendor.old_token = vendor.signed_out is not None
        second = await run(db, vendor.preset, vendor.stream)
        assert (second.state, second.message) == ("ok", "")
        assert (second.counts.added, second.counts.changed) == (0, 1)
        assert vendor.again in (None, second.counts.rows), "what did not change is not asked for again"
        assert len(vendor.tokens) == (3 if vendor.token else 0), "the one that ended was renewed"

        vendor.failing = True
        third = await run(db, vendor.preset, vendor.stream)
    assert (third.state, third.error) == ("failed", "refused")
    assert await stored(db, vendor.preset, vendor.stream) == len(vendor.rows)


VIEWS = """
CREATE TABLE muster_requisition (id INTEGER, opened_on, approved_on, needed_by, headcount, filled, closed_on, recruiter,
  department, updated_at);
INSERT INTO muster_requisition SELECT value, '2026-02-01', '2026-02-02', '2026-04-01', 1, 0, NULL, 'hr1', 'D1',
  '2026-03-0' || value || ' 08:00:00' FROM json_each('[1,2,3]');
CREATE TABLE muster_candidate_stage (id INTEGER, candidate, requisition, stage, entered_at, recruiter, updated_at);
INSERT INTO muster_candidate_stage SELECT value, 'c' || value, 1, '入职', '2026-03-02 09:00:00', 'hr1',
  '2026-03-02 09:00:00' FROM json_each('[1,2,3]');
CREATE TABLE muster_employment (id INTEGER, employee, joined_on, left_on, leave_kind, probation_ends_on,
  probation_passed, requisition, department, updated_at);
INSERT INTO muster_employment SELECT value, 'e' || value, '2026-01-05', NULL, NULL, '2026-04-05', 1, 1, 'D1',
  '2026-03-02 09:00:00' FROM json_each('[1,2,3]');
"""
CHANGES = {
    "requisition": "filled = 1",
    "candidate_stage": "stage = '放弃'",
    "employment": "left_on = '2026-03-04', leave_kind = '辞职'",
}


@pytest.mark.parametrize("stream", CHANGES)
async def test_the_preset_of_a_database_reads_its_views(db: Database, tmp_path: Path, stream: str) -> None:
    with sqlite3.connect(tmp_path / "hr.db") as hr:
        hr.executescript(VIEWS)
        text = re.sub(r"(?m)^base_url: .*", f"base_url: sqlite:///{tmp_path}/hr.db", preset_text("recruit_sql"))
        text = re.sub(r"(?m)^auth: .*", "", text).replace("size: 4000", "size: 2")
        await sources.put_source(db, text, "preset.yaml", ENTRY)
        first = await run(db, "recruit_sql", stream)
        assert (first.state, first.message, first.pages, first.counts.added) == ("ok", "", 2, 3)
        hr.execute(f"UPDATE muster_{stream} SET {CHANGES[stream]}, updated_at = '2026-03-04 08:00:00' WHERE id = 2")  # noqa: S608
        hr.commit()
        second = await run(db, "recruit_sql", stream)
        assert (second.state, second.message, second.counts.added, second.counts.changed) == ("ok", "", 0, 1)
    assert await stored(db, "recruit_sql", stream) == 3


async def test_a_call_of_kuaidi100_brings_the_parcel_and_its_steps(db: Database) -> None:
    text = preset_text("carrier_kuaidi100_push").replace("${secret:", "${env:")
    await sources.put_source(db, text, "preset.yaml", ENTRY)
    steps = [
        {"ftime": "2026-03-03 09:12:40", "status": "签收", "areaName": "北京"},
        {"ftime": "2026-03-02 10:30:00", "status": "揽收", "areaName": "上海"},
    ]
    for state, told in (("1", steps[1:]), ("3", steps), ("3", steps)):
        last = {"nu": "YT1", "com": "yuantong", "state": state, "ischeck": "0", "data": told}
        param = json.dumps({"status": "polling", "message": "", "lastResult": last})
        body = urlencode({"param": param, "sign": kuaidi100_sign(param, "kuaidi100_salt")}).encode()
        call = HookCall("kuaidi100", body, {}, {}, NOW_MS / 1000)
        await hooks.receive(db, "carrier_kuaidi100_push", call, SECRETS, NOW_MS)
        await hooks.work_off(db, CLOCKS)
    assert await stored(db, "carrier_kuaidi100_push", "shipment") == 1
    assert await stored(db, "carrier_kuaidi100_push", "shipment_event") == 2
    table = FACT_TABLES["shipment"]
    async with db.reading() as connection:
        assert await connection.scalar(select(table.c.status)) == "delivered"


async def test_a_call_of_cainiao_brings_the_parcel_and_its_steps(db: Database) -> None:
    text = preset_text("carrier_cainiao_push").replace("${secret:", "${env:")
    await sources.put_source(db, text, "preset.yaml", ENTRY)
    steps = [
        {"time": NOW_MS - 90_000_000, "logisticsStatus": "ACCEPT", "areaName": "上海"},
        {"time": NOW_MS - 3_600_000, "logisticsStatus": "SIGN", "areaName": "北京"},
    ]
    for state, told in (("ACCEPT", steps[:1]), ("SIGN", steps), ("SIGN", steps)):
        parcel = {"mailNo": "YT1", "cpCode": "YTO", "logisticsStatus": state, "logisticsTraceDetailList": told}
        content = json.dumps(parcel, ensure_ascii=False)
        body = urlencode({"logistics_interface": content, "data_digest": cainiao_digest(content, "cainiao")}).encode()
        await hooks.receive(
            db, "carrier_cainiao_push", HookCall("cainiao", body, {}, {}, NOW_MS / 1000), SECRETS, NOW_MS
        )
        await hooks.work_off(db, CLOCKS)
    assert await stored(db, "carrier_cainiao_push", "shipment") == 1
    assert await stored(db, "carrier_cainiao_push", "shipment_event") == 2
    table = FACT_TABLES["shipment"]
    async with db.reading() as connection:
        found = (await connection.execute(select(table.c.status, table.c.delivered_kind))).one()
    assert tuple(found) == ("delivered", "signed")
