"""From stored events to punches and scans that exist once, on both databases."""

import asyncio
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from server.access.scope import Scope
from server.ingest import identity
from server.ingest.identity import identify
from server.ingest.session import read_batch
from server.ingest.transaction import Ingest
from server.services.people import assign_user
from server.store.database import Database
from server.store.ingest_store import ingest_store
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import Scan, ScanKind
from tests.server.ingest.world import MONDAY_S, NOW_MS, OTHER, SHANGHAI_S, STREAM, A, B, ev, punch, rows

ZONE = ZoneInfo("Asia/Shanghai")
COUNTS = "SELECT (SELECT count(*) FROM punches), (SELECT count(*) FROM scans), (SELECT count(*) FROM sources)"


async def send(db: Database, first: int, *events: Event, gateway: str = A, stream: bytes = STREAM) -> None:
    """Store events under consecutive seqs."""
    payload = ev(first, events, stream=stream)
    await Ingest(db, ingest_store(db)).store([(gateway, read_batch(payload))], NOW_MS)


async def identify_all(db: Database) -> int:
    done = 0
    while count := await identify(db, NOW_MS, ZONE):
        done += count
    return done


async def employ(db: Database, employee: str, code: str) -> None:
    async with db.writing() as connection:
        for statement in (
            "INSERT INTO departments VALUES ('ops', NULL, '运营', 'Operations')",
            "INSERT INTO employees (id, name, department, site, position, joined_on, left_on)"
            " VALUES (:employee, 'Li', 'ops', 'd1', 'courier', '2026-01-01', NULL)",
            "INSERT INTO terminal_users VALUES ('d1', :code, :employee)",
        ):
            await connection.execute(text(statement), {"employee": employee, "code": code})


async def test_rel09_business_dedupe_a_terminal_read_again_adds_sources_only(db: Database) -> None:
    events = [punch(n) for n in range(1, 6)]
    await send(db, 1, *events)
    await send(db, 6, *events[:3])
    assert await identify_all(db) == 8
    await send(db, 1, *events, stream=OTHER)
    assert await identify_all(db) == 5
    assert await rows(db, COUNTS) == [(5, 0, 13)]
    repeats = await rows(db, "SELECT punch, count(*) FROM sources WHERE repeat GROUP BY punch ORDER BY punch")
    firsts = await rows(db, "SELECT punch, seq FROM sources WHERE NOT repeat ORDER BY seq")
    assert [count for _, count in repeats] == [2, 2, 2, 1, 1]
    assert [pair[0] for pair in repeats] == [pair[0] for pair in firsts]


async def test_rel09_business_dedupe_keeps_two_punches_in_different_seconds(db: Database) -> None:
    one, next_second = punch(1, user="7"), punch(2, user="7")
    await send(db, 1, one, next_second, punch(1, user="8"))
    await identify_all(db)
    assert await rows(db, COUNTS) == [(3, 0, 3)]


async def test_rel09_business_dedupe_across_push_and_pull_ignores_direction_and_method(db: Database) -> None:
    pull = Punch("T1", "7", MONDAY_S, SHANGHAI_S, (MONDAY_S - SHANGHAI_S) * 1000, native_seq=5, raw_codes=(1, 0))
    push = Punch("T1", "7", MONDAY_S, SHANGHAI_S, (MONDAY_S - SHANGHAI_S) * 1000, flags=Flag.REALTIME)
    await send(db, 1, pull, push)
    await identify_all(db)
    assert await rows(db, "SELECT count(*), min(native_seq) FROM punches") == [(1, 5)]


async def test_rel09_business_dedupe_tells_records_of_a_reset_clock_apart_by_number(db: Database) -> None:
    reset = int(datetime(2000, 1, 1, tzinfo=UTC).timestamp())
    events = [Punch("T1", "7", reset, 0, reset * 1000, native_seq=n) for n in (1, 2, 1)]
    await send(db, 1, *events)
    await identify_all(db)
    assert await rows(db, "SELECT key_seq, held FROM punches ORDER BY key_seq") == [(1, "AR-3"), (2, "AR-3")]


def numbered(number: int, second: int, user: str = "7") -> Punch:
    """A punch so many seconds after the others, under that record number."""
    return Punch("T1", user, MONDAY_S + second, SHANGHAI_S, (MONDAY_S - SHANGHAI_S + second) * 1000, native_seq=number)


async def alarms(db: Database) -> list[tuple[object, ...]]:
    return await rows(db, "SELECT kind, subject, count FROM alarms")


@pytest.mark.parametrize("together", [True, False])
async def test_ar2_a_terminal_that_restarts_its_record_numbers_loses_nothing_and_it_is_told(
    db: Database, together: bool
) -> None:
    old = [numbered(n, n * 60) for n in range(1, 6)]
    new = [numbered(n, 3_600 + n * 60, user=str(n)) for n in range(1, 4)]
    await send(db, 1, *old)
    if not together:
        await identify_all(db)
    await send(db, 6, *new, *old)  # read again as a whole: the old ones are repeats
    await identify_all(db)
    assert await rows(db, COUNTS) == [(8, 0, 13)]
    assert await alarms(db) == [("restarted_log", "T1", 1)]


async def test_ar2_the_same_number_and_second_of_another_user_counts(db: Database) -> None:
    await send(db, 1, numbered(5, 60))
    await identify_all(db)
    await send(db, 2, numbered(5, 60, user="8"))
    await identify_all(db)
    assert await rows(db, COUNTS) == [(2, 0, 2)]
    assert await alarms(db) == [("restarted_log", "T1", 1)]


async def test_numbers_that_go_on_in_whatever_order_they_come_raise_no_alarm(db: Database) -> None:
    punches = [numbered(n, n // 2 * 60) for n in range(1, 9)]
    await send(db, 1, *punches[5:], *punches[:3])
    await identify_all(db)
    await send(db, 7, *punches)
    await identify_all(db)
    assert await rows(db, COUNTS) == [(5, 0, 14)]
    assert await alarms(db) == []


async def test_a_source_without_clock_has_no_repeats(db: Database) -> None:
    await send(db, 1, *(Punch("T1", "7", None, None, NOW_MS) for _ in range(3)))
    await identify_all(db)
    assert await rows(db, COUNTS) == [(3, 0, 3)]


async def test_scans_repeat_only_where_the_source_numbers_its_reads(db: Database) -> None:
    plain = Scan("T1", "P1", "", ScanKind.DELIVERED, NOW_MS)
    numbered = Scan("T1", "P2", "", ScanKind.DELIVERED, NOW_MS, native_seq=4)
    await send(db, 1, plain, plain, numbered, numbered)
    await identify_all(db)
    await send(db, 5, numbered)
    await identify_all(db)
    assert await rows(db, "SELECT code, count(*) FROM scans GROUP BY code ORDER BY code") == [("P1", 2), ("P2", 1)]
    assert await rows(db, "SELECT count(*) FROM sources WHERE repeat") == [(2,)]
    assert await rows(db, "SELECT tracking_no, delivered_at_ms FROM shipments ORDER BY 1") == [
        ("P1", NOW_MS),
        ("P2", NOW_MS),
    ]


async def test_an_owner_is_found_by_the_group_of_the_terminal_and_the_day_is_touched(db: Database) -> None:
    await employ(db, "e1", "7")
    await send(db, 1, punch(1, user="7"), punch(2, user="8"))
    await send(db, 1, punch(3, user="7", terminal="T2"), gateway=B)
    await identify_all(db)
    assert await rows(db, "SELECT user_code, employee FROM punches ORDER BY at_ms") == [
        ("7", "e1"),
        ("8", None),
        ("7", "e1"),
    ]
    touched = await rows(db, "SELECT DISTINCT employee, date FROM touched_days ORDER BY date")
    assert ("e1", date(2026, 11, 2).isoformat()) in [(e, str(d)) for e, d in touched]
    topics = {topic for (topic,) in await rows(db, "SELECT topic FROM changes")}
    assert topics == {"devices", "unmatched"}


@pytest.mark.parametrize(
    ("drift_ms", "ahead_s", "true_ms", "held"),
    [
        (None, 0, 0, None),
        (30_000, 0, 0, None),
        (31_000, 0, -31_000, None),
        (3_601_000, 0, None, "AR-3"),
        (None, 301 + 3600, None, "AR-4"),
    ],
)
async def test_clocks_are_judged_and_raw_values_kept(
    db: Database, drift_ms: int | None, ahead_s: int, true_ms: int | None, held: str | None
) -> None:
    at = (MONDAY_S + ahead_s) * 1000
    await send(db, 1, Punch("T1", "7", MONDAY_S + ahead_s + SHANGHAI_S, SHANGHAI_S, at, drift_ms=drift_ms))
    await identify_all(db)
    expected = None if true_ms is None else at + true_ms
    assert await rows(db, "SELECT at_ms, drift_ms, true_ms, held FROM punches") == [(at, drift_ms, expected, held)]
    assert await rows(db, "SELECT last_event_ms FROM terminals WHERE serial = 'T1'") == [(expected,)]


async def test_the_last_event_of_a_terminal_never_goes_back(db: Database) -> None:
    await send(db, 1, punch(50))
    await identify_all(db)
    await send(db, 2, punch(10))
    await identify_all(db)
    assert await rows(db, "SELECT last_event_ms FROM terminals WHERE serial = 'T1'") == [((MONDAY_S + 50) * 1000,)]


async def test_the_follower_takes_bounded_portions_and_each_event_once(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "PORTION", 7)
    for first in range(1, 40, 4):
        await send(db, first, *(punch(n) for n in range(first, first + 4)))
    counts = []
    while count := await identify(db, NOW_MS, ZONE):
        counts.append(count)
    assert sum(counts) == 40
    assert max(counts) <= 7
    assert await rows(db, COUNTS) == [(40, 0, 40)]


async def test_two_followers_at_once_do_nothing_twice(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "PORTION", 5)
    for first in range(1, 40, 4):
        await send(db, first, *(punch(n) for n in range(first, first + 4)))
    done = await asyncio.gather(identify_all(db), identify_all(db), identify_all(db))
    assert sum(done) == 40
    assert await rows(db, COUNTS) == [(40, 0, 40)]


async def test_a_follower_that_fails_leaves_nothing_half_done(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    await send(db, 1, punch(1), punch(2))
    monkeypatch.setattr(identity, "note_changes", fail)
    with pytest.raises(ZeroDivisionError):
        await identify(db, NOW_MS, ZONE)
    monkeypatch.undo()
    assert await rows(db, COUNTS) == [(0, 0, 0)]
    assert await identify_all(db) == 2
    assert await rows(db, COUNTS) == [(2, 0, 2)]


async def test_an_owner_named_meanwhile_gets_every_punch(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Old punches follow the assignment, new ones read it; one that is just being added must not fall between."""
    monkeypatch.setattr(identity, "PORTION", 3)
    await employ(db, "e1", "1")
    for first in range(1, 40, 3):
        await send(db, first, *(punch(n, user="7") for n in range(first, first + 3)))

    async def assign() -> None:
        await asyncio.sleep(0.05)
        await assign_user(db, "li", "d1", "7", "e1", now_ms=NOW_MS, scope=Scope.system())

    await asyncio.gather(identify_all(db), assign())
    assert await rows(db, "SELECT employee, count(*) FROM punches GROUP BY employee") == [("e1", 39)]


async def test_years_from_1970_to_2099_are_identified(db: Database) -> None:
    years = [1970, 2000, 2016, 2026, 2099, 9999]
    seconds = [int(datetime(year, 6, 1, tzinfo=UTC).timestamp()) for year in years]
    await employ(db, "e1", "7")
    await send(db, 1, *(Punch("T1", "7", at, 0, at * 1000) for at in seconds))
    await identify_all(db)
    held = [h for (h,) in await rows(db, "SELECT held FROM punches ORDER BY at_ms")]
    assert held == ["AR-3", "AR-3", None, None, "AR-4", "AR-4"]
