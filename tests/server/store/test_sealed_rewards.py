"""Amounts of rewards of a database of schema 0029 are encrypted by the update, or nothing is done."""

import datetime as dt
import json
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from server.access.scope import Scope
from server.store import migrate, period_queries, reward_queries
from server.store.database import Database
from server.store.period_queries import RewardRow, SideRow
from server.store.period_tables import score_closings
from server.store.reward_pay import TABLES
from server.store.tables import departments, employees, scorecards, scores, sites, touched_scores
from shared.errors import ConfigError
from tests.support.with_keys import make_keys, masters

BASE, PAID, MORE = 543_219, 554_083, 10_865
REWARD = {"indicator": "s", "step": "1/10", "gain": "1/50", "max_steps": 5, "gates": {}, "steps": 1}
SIDE: dict[str, Any] = {"value": "11/10", "points": 110_000_000, "total": 110_00}
DAY = dt.date(2026, 1, 1)


def to_0029(url: str) -> None:
    def work(connection: Connection) -> None:
        config = migrate._config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0029")

    migrate._apart(lambda: migrate._with_connection(url, work))


async def insert(connection: AsyncConnection, table: str, **values: Any) -> None:
    given = {name: json.dumps(one) if isinstance(one, list | dict) else one for name, one in values.items()}
    as_json = "CAST(:{} AS json)" if connection.dialect.name == "postgresql" else ":{}"
    places = (as_json.format(name) if isinstance(one, list | dict) else f":{name}" for name, one in values.items())
    statement = f"INSERT INTO {table} ({', '.join(given)}) VALUES ({', '.join(places)})"  # noqa: S608 - names of ours
    await connection.execute(text(statement), given)


async def fill(db: Database, *, base: int, paid: int, more: int) -> None:
    """A base amount, a closed card, what it would say now, and an open card of the same person."""
    async with db.writing() as connection:
        await connection.execute(departments.insert().values(id="d", name_zh="d", name_en="d"))
        await connection.execute(sites.insert().values(id="s", name_zh="s", name_en="s", zone="Asia/Shanghai"))
        person = {"id": "e", "name": "E", "department": "d", "site": "s", "position": "p", "joined_on": DAY}
        await connection.execute(employees.insert().values(person))
        closing = {"period": "2026-01", "department": "", "closed_ms": 1, "closed_by": "t", "appeal_until_ms": 2}
        made = await connection.execute(
            score_closings.insert().values(**closing, summary={}).returning(score_closings.c.id)
        )
        started = DAY.isoformat() if db.dialect == "sqlite" else DAY
        row = {"indicator": "s", "kind": "person", "unit": "e", "starts": started, "set_by": "t", "set_ms": 1}
        await insert(connection, "reward_bases", **row, base_minor=base)
        card = {"employee": "e", "period": "2026-01", "version": 1, "newest": True, "closing": made.scalar_one()}
        card |= {"cause": "closing", "status": "scored", "coverage_num": 1, "coverage_den": 1, "adjustment_centi": 0}
        card |= {"vetoes": [], "provisional": [], "parts": [], "published_ms": 1}
        rewards = [REWARD | {"base_minor": base, "minor": paid}] if paid else []
        await insert(connection, "closed_cards", **card, reward_minor=paid, rewards=rewards)
        late = {"employee": "e", "period": "2026-01", "indicator": "s", "part": 0, "posted_to": "2026-03", "cause": "x"}
        late |= {"numerator": 1, "denominator": 1, "sample": 1, "computed_ms": 1, "money_minor": more}
        sides = {"before": SIDE | {"money_minor": paid}, "after": SIDE | {"money_minor": paid + more}}
        await insert(connection, "score_adjustments", **late, **sides)
        head = {"employee": "e", "status": "scored", "coverage_num": 1, "coverage_den": 1, "computed_ms": 1}
        score = {"employee": "e", "indicator": "hr_employee_satisfaction", "value_num": 8, "value_den": 2, "sample": 2}
        for period in ("2026-01", "2026-02"):
            await connection.execute(scorecards.insert().values(head | {"period": period}))
            await connection.execute(
                scores.insert().values(score | {"period": period, "lineage": {}, "computed_ms": 1})
            )


async def in_sight(db: Database) -> str:
    async with db.reading() as connection:
        return repr([(await connection.execute(select(table))).all() for table in TABLES])


async def test_sec24_what_is_there_is_encrypted_by_the_update(database_url: str) -> None:
    to_0029(database_url)
    db = Database(database_url, masters)
    await make_keys(db)
    await fill(db, base=BASE, paid=PAID, more=MORE)
    migrate.upgrade(database_url, masters)
    async with db.reading() as connection:
        [base] = await reward_queries.bases(connection)
        [card] = await period_queries.published(connection, Scope.system(), "2026-01")
        [late] = await period_queries.adjustments(connection, Scope.system())
        uses = await connection.scalar(text("SELECT uses FROM data_keys WHERE purpose = 'seal'"))
        touched = (await connection.execute(select(touched_scores.c.employee, touched_scores.c.period))).all()
    rule = RewardRow("s", BASE, "1/10", "1/50", 5, {}, 1, PAID)
    assert (base.base_minor, card.reward_minor, card.rewards) == (BASE, PAID, (rule,))
    assert (late.before, late.after) == (SideRow(**SIDE, money_minor=PAID), SideRow(**SIDE, money_minor=PAID + MORE))
    assert (late.money_minor, uses) == (MORE, 3)
    assert [tuple(row) for row in touched] == [("e", "2026-02")], "the closed one stays as it was published"
    there = await in_sight(db)
    await db.close()
    assert not [minor for minor in (BASE, PAID, MORE, PAID + MORE) if str(minor) in there]


async def test_without_a_key_nothing_is_done_until_there_is_one(database_url: str) -> None:
    to_0029(database_url)
    db = Database(database_url, masters)
    await fill(db, base=BASE, paid=0, more=0)
    with pytest.raises(ConfigError, match="keys init"):
        migrate.upgrade(database_url, masters)
    assert not migrate.is_current(database_url)
    async with db.reading() as connection:
        assert await connection.scalar(text("SELECT base_minor FROM reward_bases")) == BASE
    await make_keys(db)
    migrate.upgrade(database_url, masters)
    async with db.reading() as connection:
        assert [one.base_minor for one in await reward_queries.bases(connection)] == [BASE]
    await db.close()


async def test_where_no_rewards_are_paid_no_key_is_needed(database_url: str) -> None:
    to_0029(database_url)
    db = Database(database_url)
    await fill(db, base=0, paid=0, more=0)
    migrate.upgrade(database_url)
    async with db.reading() as connection:
        [card] = await period_queries.published(connection, Scope.system(), "2026-01")
        [late] = await period_queries.adjustments(connection, Scope.system())
    await db.close()
    assert (card.rewards, card.reward_minor, late.money_minor, late.after.total) == ((), 0, 0, 110_00)
