"""SEC-24, SEC-25: amounts of rewards are pay. No row holds one in sight, and keys change around them."""

import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from server.access.scope import Scope
from server.services import keys
from server.services.score_export import pay_rows
from server.services.score_rewards import put_base
from server.services.scoring import score_touched
from server.store import key_queries, period_queries, reward_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.period_tables import reward_bases
from server.store.reward_pay import TABLES, pay_place
from server.store.reward_queries import BaseRow
from server.store.schema import metadata
from server.store.sealer import required_sealer
from shared.errors import DataError
from tests.server.services.period_world import (
    HR,
    LATE,
    act,
    adjustments,
    card,
    close,
    company,
    heard,
    sales,
    target,
)
from tests.server.services.test_attributes import day
from tests.server.services.world import at

SALES = "biz_sales_amount"
BASE, CLOSED, LATER = 5_432_19, 5_540_83, 5_649_48
"""What a step pays, 2 % more at 110 % and 4 % more at 120 % of the target."""
AMOUNTS = (BASE, CLOSED, LATER, LATER - CLOSED)
ENTRY = Entry(at(LATE), "cli", "keys.rotate", "")


@pytest.fixture
async def paid(db: Database) -> Database:
    """January closed with a reward; it was more, as a late order tells."""
    await company(db)
    await sales(db, "o1", 110_000_000)
    await target(db)
    await put_base(db, act(HR), BaseRow(SALES, "person", "qian", day("2026-01-01"), BASE))
    await put_base(db, act(HR), BaseRow(SALES, "person", "qian", day("2026-08-01"), 0))
    await close(db, department="business")
    await sales(db, "o2", 10_000_000)
    await heard(db, LATE)
    await score_touched(db, at(LATE))
    return db


async def told(db: Database) -> tuple[object, ...]:
    """Bases, what the card was worth, what it would be now, and what is paid out in March."""
    closed = await card(db, "qian")
    [late] = [one for one in await adjustments(db) if one.indicator == SALES]
    async with db.reading() as connection:
        bases = [one.base_minor for one in await reward_queries.bases(connection)]
        march = await pay_rows(connection, Scope.system(), "2026-01")
    rewards = [(one.base_minor, one.minor, one.steps) for one in closed.rewards]
    money = (late.before.money_minor, late.after.money_minor, late.money_minor)
    payable = {row.card.employee: row.payable_minor for row in march}
    return bases, closed.reward_minor, rewards, money, payable["qian"]


EXPECTED = ([BASE, 0], CLOSED, [(BASE, CLOSED, 1)], (CLOSED, LATER, LATER - CLOSED), CLOSED)


async def in_sight(db: Database) -> bytes:
    """All that rows hold."""
    found = []
    async with db.reading() as connection:
        for table in metadata.sorted_tables:
            values = [one for row in await connection.execute(select(table)) for one in row]
            found += [bytes(one) if isinstance(one, bytes) else json.dumps(one, default=str).encode() for one in values]
    return b"\n".join(found)


async def test_sec24_no_row_holds_an_amount_of_a_reward(paid: Database) -> None:
    assert await told(paid) == EXPECTED
    there = await in_sight(paid)
    for minor in AMOUNTS:
        assert str(minor).encode() not in there
        assert minor.to_bytes(8, "big") not in there


async def test_sec24_an_amount_that_was_moved_to_another_row_does_not_open(paid: Database) -> None:
    async with paid.writing() as connection:
        moved = update(reward_bases).where(reward_bases.c.sealed.is_not(None)).values(unit="wang")
        await connection.execute(moved)
    async with paid.reading() as connection:
        with pytest.raises(DataError) as refused:
            await reward_queries.bases(connection)
    assert refused.value.code == "sealed_changed"


async def test_sec25_a_new_data_key_takes_over_every_amount(paid: Database) -> None:
    number = await keys.renew(paid, "sm", ENTRY)
    assert await told(paid) == EXPECTED
    assert await keys.reseal(paid) == 3
    assert await keys.reseal(paid) == 0
    assert await told(paid) == EXPECTED
    async with paid.reading() as connection:
        sealer = await required_sealer(connection)
        for table in TABLES:
            [row] = await key_queries.sealed_rows(connection, table, (), 10)
            assert sealer.keys[number].open(row.value, pay_place(table, row.row))
            assert await key_queries.sealed_rows(connection, table, row.row, 10) == []


async def test_a_further_version_of_a_card_keeps_its_rewards(paid: Database) -> None:
    closed = await card(paid, "qian")
    async with paid.writing() as connection:
        await period_queries.add_cards(connection, [replace(closed, version=2)])
    again = await card(paid, "qian")
    assert (again.version, again.rewards, again.reward_minor) == (2, closed.rewards, closed.reward_minor)


async def test_without_the_master_key_cards_are_read_without_their_rewards(paid: Database) -> None:
    def none() -> Mapping[str, bytes]:
        return {}

    bare = Database(paid.url.render_as_string(hide_password=False), none)
    async with bare.reading() as connection:
        [row] = await period_queries.newest(connection, [("qian", "2026-01")], pay=False)
        assert (row.rewards, row.reward_minor, row.version) == ((), 0, 1)
        with pytest.raises(DataError) as refused:
            await period_queries.newest(connection, [("qian", "2026-01")])
    await bare.close()
    assert refused.value.code == "no_keys"
