"""Somebody who sold for 12 days of a month and led the sellers for the other 18 (X12 of the indicators), from rows.

Both posts go by the gross margin alone: 18 % as a representative are 80 points, 19.5 % as a manager 95.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from server.people.person import Post
from server.services.passwords import Passwords
from server.services.sources import put_source
from server.store import link_queries, post_queries, score_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from server.store.migrate import upgrade
from server.store.source_tables import source_streams
from shared.clock import system_clocks
from tests.server.services.scheme_world import SYSTEM, order, publish, weight_set
from tests.server.services.world import load
from tests.web.company import PASSWORD, ZONE, _account, _compute, _connect, _run

SELLER = "sun"
MARGIN = {"biz_gross_margin_rate": 100}


@dataclass(frozen=True, slots=True)
class TwoPosts:
    """What tests compare pages with."""

    period: str
    change: date
    """First day of the second post."""


def make_two_posts(folder: Path) -> TwoPosts:
    """Fill a new database below ``folder``: the newest month of 30 days that is over."""
    database = folder / "muster.db"
    upgrade(f"sqlite:///{database}")
    last = datetime.now(ZONE).date().replace(day=1) - timedelta(days=1)
    while last.day != 30:
        last = last.replace(day=1) - timedelta(days=1)
    _run(_fill(database, last.replace(day=1)))
    with _connect(database).begin() as connection:
        secret = _run(Passwords().hash(PASSWORD))
        _account(connection, "hr", "周敏", secret)
        _account(connection, "employee", "孙悦", secret, employee=SELLER)
    _run(_compute(database))
    return TwoPosts(f"{last:%Y-%m}", last.replace(day=13))


async def _fill(database: Path, first: date) -> None:
    db = Database(f"sqlite:///{database}")
    joined, change = first - timedelta(days=200), first.replace(day=13)
    company = {
        "departments": [{"id": "business", "name_zh": "业务部", "name_en": "Business"}],
        "sites": [{"id": "d1", "name_zh": "余杭站", "name_en": "Yuhang depot", "zone": ZONE.key}],
        "employees": [
            {"id": SELLER, "name": "孙悦", "department": "business", "site": "d1", "position": "sales_rep"}
            | {"joined_on": joined.isoformat()}
        ],
    }
    await load(db, json.dumps(company).encode(), now=f"{joined} 00:00")
    now_ms = system_clocks().wall_ms()
    await put_source(db, SYSTEM, "system.yaml", Entry(now_ms, "test", "test", ""))
    async with db.writing() as connection:
        await connection.execute(update(source_streams).values(last_ok_ms=now_ms))
        manager = {"id": "sales_manager", "name_zh": "销售主管", "name_en": "Sales manager"}
        await post_queries.put_row(connection, "positions", manager)
        await link_queries.put_link(connection, LinkRow("system", SELLER, joined, None, SELLER))
        posts = [
            Post(joined, "business", "d1", "sales_rep"),
            Post(change, "business", "d1", "sales_manager"),
        ]
        await post_queries.put_posts(connection, {SELLER: posts})
    sets = [weight_set("business", one, joined.isoformat(), **MARGIN) for one in ("sales_rep", "sales_manager")]
    await publish(db, *sets, now=f"{first} 00:00")
    await order(db, "as-rep", f"{first.replace(day=12)} 23:59", 82_000, SELLER)
    await order(db, "as-manager", f"{change} 00:00", 80_500, SELLER)
    async with db.writing() as connection:
        await score_queries.touch_scores(connection, [(SELLER, f"{first:%Y-%m}")])
    await db.close()
