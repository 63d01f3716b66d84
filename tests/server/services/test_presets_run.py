"""Presets against systems in the shape of their vendors: signed in to, read page by page, and again after a change."""

import datetime as dt
import re
from collections.abc import Sequence

import pytest
from sqlalchemy import func, insert, select

from server.connectors.fetch.secrets import Secrets
from server.connectors.mapping import map_rows
from server.connectors.presets import load_preset, preset_text
from server.connectors.source_file import read_source
from server.services import sources
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


async def link(db: Database, source: str, people: Sequence[str]) -> None:
    async with db.writing() as connection:
        await connection.execute(insert(sites).values(id="s", name_zh="s", name_en="s", zone="Asia/Shanghai"))
        await connection.execute(insert(departments).values(id="d", name_zh="d", name_en="d"))
        joined = dt.date(2020, 1, 1)
        for key in people:
            person = {"id": key, "name": key, "department": "d", "site": "s", "position": "", "joined_on": joined}
            await connection.execute(insert(employees).values(person))
            known = {"source": source, "employee_key": key, "valid_from": joined, "employee": key}
            await connection.execute(insert(identity_links).values(known))


async def ship(db: Database, carrier: str, parcels: Sequence[str]) -> None:
    """As an ERP tells that they left the house."""
    erp = read_source(ERP, "erp.yaml")
    told = {"carrier_code": carrier, "status": "shipped"}
    rows = [{"source_key": parcel, "tracking_no": parcel, **told} for parcel in parcels]
    async with db.writing() as connection:
        arrival = Arrival("erp", erp.streams[0], erp.zone, 1, NOW_MS)
        await store_page(connection, arrival, map_rows(erp, erp.streams[0], rows))


async def run(db: Database, vendor: Vendor) -> Run:
    clocks = Clocks(lambda: NOW_MS, lambda: NOW_MS)
    order = Order(clocks=clocks, holder="test")
    [(_, done)] = await run_source(
        db,
        vendor.preset,
        lambda source: [stream for stream in source.streams if stream.id == vendor.stream],
        Secrets(environ=Names()),
        order,
    )
    return done


async def stored(db: Database, vendor: Vendor) -> int:
    [fact] = {stream.fact for stream in load_preset(vendor.preset).streams if stream.id == vendor.stream}
    table = FACT_TABLES[fact]
    async with db.reading() as connection:
        which = select(func.count()).where(table.c.source == vendor.preset, table.c.deleted.is_(False))
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

        first = await run(db, vendor)
        assert (first.state, first.message, first.pages) == ("ok", "", vendor.pages)
        assert (first.counts.added, first.counts.waiting) == (len(vendor.rows), 0)
        assert len(vendor.tokens) == (vendor.token is not None)

        vendor.change(vendor.rows)
        vendor.old_token = vendor.signed_out is not None
        second = await run(db, vendor)
        assert (second.state, second.message) == ("ok", "")
        assert (second.counts.added, second.counts.changed) == (0, 1)
        assert len(vendor.tokens) == (3 if vendor.token else 0), "the one that ended was renewed"

        vendor.failing = True
        third = await run(db, vendor)
    assert (third.state, third.error) == ("failed", "refused")
    assert await stored(db, vendor) == len(vendor.rows)
