"""Which parcels a carrier is asked about: those that others know of and that have not ended."""

from server.connectors.mapping import map_rows
from server.connectors.source_file import read_source
from server.services.fact_store import Arrival, store_page
from server.store.database import Database
from server.store.open_parcels import open_parcels

NOW_MS = 1_780_000_000_000
FILE = """
source: {source}
kind: webhook
push: {{secrets: ["${{secret:any}}"], facts: [shipment]}}
"""


async def put(db: Database, source: str, *rows: tuple[str, str, str], at_ms: int = NOW_MS) -> None:
    made = read_source(FILE.format(source=source), "any.yaml")
    names = ("tracking_no", "carrier_code", "status")
    raw = [{"source_key": row[0], **dict(zip(names, row, strict=True))} for row in rows]
    async with db.writing() as connection:
        arrival = Arrival(source, made.streams[0], made.zone, 1, at_ms)
        await store_page(connection, arrival, map_rows(made, made.streams[0], raw))


async def asked(db: Database, *carriers: str) -> list[str]:
    async with db.reading() as connection:
        return await open_parcels(connection, "carrier", carriers, NOW_MS)


async def test_parcels_on_their_way_are_asked_about(db: Database) -> None:
    await put(db, "erp", ("A", "sf", "shipped"), ("B", "sf", "cancelled"), ("C", "zto", "in_transit"))
    await put(db, "erp", ("D", "sf", "shipped"), at_ms=NOW_MS - 1)
    assert await asked(db) == ["A", "C"]
    assert await asked(db, "sf") == ["A"]


async def test_a_parcel_that_its_carrier_has_delivered_is_asked_about_no_more(db: Database) -> None:
    """The ERP goes on saying that it was shipped; a parcel that only the carrier has is nobody's here."""
    await put(db, "erp", ("A", "sf", "shipped"), ("B", "sf", "shipped"))
    await put(db, "carrier", ("A", "sf", "delivered"), ("B", "sf", "in_transit"), ("Z", "sf", "in_transit"))
    assert await asked(db) == ["B"]
