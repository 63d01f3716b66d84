"""The same punch by push, pull and file is one row, and every way it came is listed beside it."""

from zoneinfo import ZoneInfo

from server.ingest.identity import identify
from server.ingest.session import read_batch
from server.ingest.transaction import Ingest
from server.store import fleet_queries as fleet
from server.store.database import Database
from server.store.ingest_store import ingest_store
from shared.punch import Direction, Flag, Method, Punch
from tests.server.ingest.world import MONDAY_S, NOW_MS, OTHER, SHANGHAI_S, STREAM, A, B, ev, rows

ZONE = ZoneInfo("Asia/Shanghai")
AT = (MONDAY_S - SHANGHAI_S) * 1000
PUSH = Punch("T1", "7", MONDAY_S, SHANGHAI_S, AT, raw_codes=(15, 255), flags=Flag.REALTIME, seen_ms=9)
"""As the terminal reports it at the door: no direction, no number, no drift."""
PULL = Punch("T1", "7", MONDAY_S, SHANGHAI_S, AT, Direction.IN, Method.FACE, (15, 0), 41, drift_ms=-800, seen_ms=70)
"""As its log says it: with a state, a place in the log and a clock that was just read."""
FILE = Punch("T1", "7", MONDAY_S, SHANGHAI_S, AT, Direction.UNKNOWN, Method.FACE, (15,))
"""As an export from a USB stick says it."""
LISTED = """SELECT streams.gateway, sources.seq, sources.repeat FROM sources
    JOIN streams ON streams.id = sources.stream_id JOIN punches ON punches.id = sources.punch
    ORDER BY streams.gateway, sources.seq"""


async def taken(db: Database, *sent: tuple[str, bytes, int, Punch]) -> None:
    """Ingest each event as a message of its own, then identify what came."""
    ingest = Ingest(db, ingest_store(db))
    for gateway, stream, seq, event in sent:
        await ingest.store([(gateway, read_batch(ev(seq, [event], stream=stream)))], NOW_MS)
        while await identify(db, NOW_MS, ZONE):
            pass


async def test_a_punch_by_push_pull_and_file_from_two_gateways_is_one_row_with_three_sources(db: Database) -> None:
    async with db.writing() as connection:
        await fleet.assign_terminal(connection, "T1", B, 2)  # moved; what A still holds of it counts as before
    await taken(db, (A, STREAM, 1, PUSH), (B, OTHER, 1, PULL), (A, STREAM, 2, FILE))
    assert await rows(db, "SELECT terminal, user_code, at_ms FROM punches") == [("T1", "7", AT)]
    listed = [(gateway, seq, bool(repeat)) for gateway, seq, repeat in await rows(db, LISTED)]
    assert listed == [(A, 1, False), (A, 2, True), (B, 1, True)]
    assert await rows(db, "SELECT count(*) FROM quarantine") == [(0,)]


async def test_whichever_way_comes_first_the_row_is_the_same_one(db: Database) -> None:
    for number, first in enumerate((FILE, PULL, PUSH)):
        others = [event for event in (PUSH, PULL, FILE) if event is not first]
        stream = bytes([number]) * 16
        await taken(db, *((A, stream, seq, event) for seq, event in enumerate((first, *others), 1)))
    assert await rows(db, "SELECT count(*) FROM punches") == [(1,)]
    assert await rows(db, "SELECT count(*) FROM sources WHERE punch IS NOT NULL") == [(9,)]


async def test_another_second_or_another_person_is_another_row(db: Database) -> None:
    later = Punch("T1", "7", MONDAY_S + 1, SHANGHAI_S, AT + 1000)
    other = Punch("T1", "8", MONDAY_S, SHANGHAI_S, AT)
    await taken(db, (A, STREAM, 1, PUSH), (A, STREAM, 2, later), (A, STREAM, 3, other))
    assert await rows(db, "SELECT count(*) FROM punches") == [(3,)]
