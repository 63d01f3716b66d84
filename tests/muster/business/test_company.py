"""The business systems of the sample company hold what belongs together, and all of it arrives."""

import asyncio
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from muster.business import odoo, zendesk
from muster.business.answers import KEY, make_systems
from muster.business.company import FAULTY, Business, make_business
from muster.business.connect import add_secret, answering, connect, push_all
from muster.business.live import make_news
from muster.business.past import close_past, past_periods
from muster.business.rows import ZONE, Span
from muster.business.visits import Visit
from muster.sample.company import sample_company
from muster.sample.history import make_sample
from muster.sample.people import make_people
from muster.sample.settle import viewers_of
from muster.stage.installation import free_port, own_installation
from server.config import load_config
from server.connectors.presets import preset_text
from server.facts.catalogue import FACTS
from server.scoring.catalogue import default_catalogue
from server.scoring.cycle import cycle_of
from server.scoring.family import parts_of
from server.services.keys import open_database
from server.services.sources import unusable_facts
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.moment_queries import moment
from server.store.period_tables import closed_cards
from server.store.source_tables import fact_quarantine, source_streams
from server.store.tables import scorecards, scores, touched_scores
from shared.clock import system_clocks

DAY = date(2026, 11, 25)
PEOPLE = make_people(7)


def business(seed: int) -> Business:
    return make_business(PEOPLE, DAY, seed)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000))
def test_what_belongs_together_is_there(seed: int) -> None:
    made = business(seed)
    orders = {row["order_no"] for row in made.trade.orders}
    customers = {row["customer_key"] for row in made.trade.customers}
    parcels = {row["tracking_no"] for row in made.delivery.shipments}
    sent = {article.key: article.sent for article in made.articles}
    people = {one.id for one in PEOPLE}
    assert {row["order_key"] for row in made.delivery.shipments} == orders
    assert {
        row["order_key"] for row in [*made.trade.refunds, *made.delivery.complaints, *made.delivery.damage]
    } <= orders
    assert {row["customer_key"] for row in [*made.trade.orders, *made.tickets]} <= customers
    assert {row["tracking_no"] for row in [*made.delivery.events, *made.delivery.damage]} <= parcels
    touched = [row for row in made.trade.orders if "last_touch_post_key" in row]
    assert all(sent[row["last_touch_post_key"]] < date.fromisoformat(row["order_date"]) for row in touched)
    assert {visit.order.number for visit in made.visits if visit.order is not None} <= orders
    assert {article.editor for article in made.articles} <= people
    assert {step.owner for step in made.campaigns} <= people
    assert {row.get("employee_key") for _, _, rows in made.pushed() for row in rows} <= {*people, None}
    assert max(row["refunded_on"] for row in made.trade.refunds) <= str(DAY)


@settings(max_examples=3, deadline=None)
@given(st.integers(0, 10_000))
def test_every_row_is_a_row_of_its_fact_but_those_that_are_to_wait(seed: int) -> None:
    for _, fact, rows in business(seed).pushed():
        keys = Counter(str(row["source_key"]) for row in rows)
        assert max(keys.values()) == 1, f"{fact} has a key twice"
        for row in rows:
            if row["source_key"] != FAULTY.get(fact, {}).get("source_key"):
                FACTS[fact].row.model_validate(row)


def test_the_history_is_whole_months_from_before_the_same_month_of_last_year_up_to_the_day() -> None:
    span = business(1).span
    assert (span.first, span.last) == (date(2025, 10, 1), DAY)
    months = [str(first) for first in Span(span.first, span.last, (), 1).months()]
    assert (len(months), months[:2], months[-1]) == (14, ["2025-10-01", "2025-11-01"], "2026-11-01")
    assert span.whole_from == date(2026, 8, 1)


@pytest.mark.parametrize(
    ("last", "first", "newest", "count"),
    [(date(2026, 11, 25), "2025-10", "2026-Q3", 12 + 4), (date(2026, 1, 5), "2024-12", "2025-11", 12 + 3)],
)
def test_what_is_over_is_closed_but_for_last_month(last: date, first: str, newest: str, count: int) -> None:
    periods = past_periods(make_business(PEOPLE, last, 1).span)
    assert (periods[0], periods[-1], len(periods)) == (first, newest, count)


def test_a_month_of_last_year_has_fewer_rows_and_as_much_money() -> None:
    made = business(1)
    orders, net = Counter[str](), Counter[str]()
    for sale in made.trade.sales:
        orders[f"{sale.paid:%Y-%m}"] += 1
        net[f"{sale.paid:%Y-%m}"] += sale.net_minor
    assert 0.4 < orders["2025-10"] / orders["2026-10"] < 0.6
    assert 0.85 < net["2025-10"] / net["2026-10"] < 1.15


def test_damage_halved_when_packaging_was_changed() -> None:
    """The case of the mission: about 3 % before, about 1.5 % after."""
    made = business(1)
    mended = DAY - timedelta(days=49)
    damaged = {row["tracking_no"] for row in made.delivery.damage if row["responsibility"] == "logistics"}
    rates = []
    for after in (False, True):
        there = [
            row["tracking_no"]
            for row in made.delivery.shipments
            if (row["delivered_at"] or row["refused_at"])
            and ((row["delivered_at"] or row["refused_at"])[:10] > str(mended)) is after
        ]
        rates.append(100 * len(damaged.intersection(there)) / len(there))
    assert 2 < rates[0] < 4
    assert 0.7 < rates[1] < 2.2


@pytest.mark.timeout(1200)  # a machine with half the speed and other work on it takes six times as long as a quiet one
async def test_everything_arrives_through_the_connectors_and_everybody_is_scored(tmp_path: Path) -> None:
    folder, told = tmp_path / "company", list[int]()
    now_ms = 1_795_000_000_000
    sample = make_sample(date.today(), 7)  # noqa: DTZ011  (the server lives today)
    made = make_business(sample.people, sample.day, 7)
    installation = own_installation(folder, "Asia/Shanghai")
    secret = add_secret(installation.server_settings)
    await installation.prepare(sample_company(sample, "muster-secret-7", "Asia/Shanghai"), [], "Asia/Shanghai", now_ms)
    await installation.start_server()
    config = load_config(installation.server_settings)
    db = open_database(config)
    try:
        async with answering(made, free_port()) as systems:
            await connect(db, config, made, systems.url, folder)
            await push_all(installation.url, secret, made, lambda _sent, _of: None)
            async with asyncio.timeout(600):
                while not await _settled(db):  # noqa: ASYNC110  (another process works)
                    await asyncio.sleep(0.5)
            found = await _found(db)
            await close_past(db, (await viewers_of(db))["hr"], made.span, told.append)
            closed = await _closed(db)
            people = [one.id for one in sample.people]
            news = make_news(datetime.now(ZONE), 1, random.Random(7), sellers=people, agents=people, couriers=people)
            systems.systems.erp.add(news.order)
            systems.systems.desk.add(news.ticket)
            async with asyncio.timeout(300):
                more = {name: number + 1 for name, number in found.tops().items()}
                while (await _found(db)).tops() != more:  # noqa: ASYNC110  (another process works)
                    await asyncio.sleep(0.5)
    finally:
        await db.close()
        await installation.stop()
    _assert_all_of_it(made, found)
    periods = past_periods(made.span)
    assert told == [len(periods)]
    assert closed.keys() == set(periods)
    assert all(scored == there for scored, there in closed.values()), "in the past everybody has a total"
    newcomers = len(sample.story.begins)
    by_month = {there for period, (_, there) in closed.items() if cycle_of(period) == "month"}
    assert by_month == {len(sample.people) - newcomers - len(made.span.of("hr")) - len(made.span.of("design"))}
    assert {part.fact for one in default_catalogue().indicators for part in parts_of(one)} <= {
        *found.rows,
        "attendance_day",
    }
    assert found.unscored == [], "last month everybody has a score"
    assert found.without == [], "every indicator has a source and, where it needs one, a target"


def _assert_all_of_it(made: Business, found: "Found") -> None:
    assert [fact for fact, number in found.rows.items() if not number] == ["attendance_punch"], "punches are our own"
    assert found.net_minor == sum(sale.net_minor for sale in made.trade.sales)
    assert found.cost_minor == sum(row["cost_minor"] for row in made.trade.orders)
    assert found.sold == Counter(sale.seller for sale in made.trade.sales), "each by who sold it"
    assert found.rows["sales_order"] == len(made.trade.sales)
    assert found.rows["sales_order_line"] == len(made.trade.lines)
    assert found.rows["refund"] == len(made.trade.refunds)
    assert found.rows["deal"] == len(made.trade.deals)
    assert found.rows["complaint"] == len(made.delivery.complaints)
    assert found.rows["ticket"] == len(made.tickets) + len(made.delivery.complaints), "a complaint is a ticket too"
    assert found.rows["design_task"] == len(made.works)
    assert found.rows["campaign_event"] == len(made.campaigns)
    assert found.rows["web_day"] == len(made.days) + len({visit.came.date() for visit in made.visits}), "of both"
    told = sum(len(article.totals) for article in made.articles)
    assert found.rows["content_post"] == told
    assert found.registered == told, "each with its editor and whether it is original, of the register"
    whole = [day for day in made.followers if day >= made.span.whole_from]
    assert found.rows["audience_day"] == len(made.followers) + len(whole), "all, and who came and went"
    assert found.steps == Counter(kind for visit in made.visits for kind in steps_of(visit))
    assert found.waiting == [
        ("sales_order", ["bad_number"]),
        ("shipment", ["unknown_value"]),
        ("ticket", ["bad_time"]),
    ]


@dataclass(frozen=True)
class Found:
    """What the database holds when everything has arrived."""

    rows: dict[str, int]
    """By fact."""
    net_minor: int
    cost_minor: int
    sold: dict[str, int]
    """Orders by the person whose they are."""
    waiting: list[tuple[str, list[str]]]
    steps: dict[str, int]
    """Of visitors, by kind."""
    registered: int
    """Figures of articles with editor and originality."""
    unscored: list[str]
    """People without a total last month."""
    without: list[tuple[str, str]]
    """Indicators of last month without source or target."""

    def tops(self) -> dict[str, int]:
        """Of what goes on coming when it is asked for."""
        return {name: self.rows[name] for name in ("sales_order", "ticket")}


def steps_of(visit: Visit) -> Iterator[str]:
    """Kinds of the steps that a visit is, counted from what happened in it."""
    yield "page_view"
    if visit.product_at is not None:
        yield from ("page_view", "product_view")
    if visit.cart_at is not None:
        yield "cart"
    if visit.order is not None:
        yield from ("order", "paid")


async def _settled(db: Database) -> bool:
    async with db.reading() as connection:
        unread = select(func.count()).where(source_streams.c.last_ok_ms.is_(None))
        waiting = select(func.count()).select_from(touched_scores)
        marks = (await moment(connection)).marks
        if await connection.scalar(unread) or marks.changed():
            return False
        # A source that was just read whole can be scored by, and scores that were computed before do not know it yet.
        if set(await unusable_facts(connection, system_clocks().wall_ms())) != marks.unusable():
            return False
        return not await connection.scalar(waiting)


async def _closed(db: Database) -> dict[str, tuple[int, int]]:
    """Of each closed period the cards with a total, and all of them."""
    table = closed_cards.c
    rows = select(table.period, func.count(table.final_centi).label("scored"), func.count().label("there"))
    async with db.reading() as connection:
        return {row.period: (row.scored, row.there) for row in await connection.execute(rows.group_by(table.period))}


async def _found(db: Database) -> Found:
    async with db.reading() as connection:
        rows = {
            fact: await connection.scalar(select(func.count()).select_from(table)) or 0
            for fact, table in FACT_TABLES.items()
        }
        table = FACT_TABLES["sales_order"].c
        of_erp = table.source == "erp_odoo"
        sums = select(func.sum(table.amount_net_minor), func.sum(table.cost_minor)).where(of_erp)
        net, cost = (await connection.execute(sums)).one()
        by_seller = select(table.employee, func.count().label("orders")).where(of_erp).group_by(table.employee)
        sold = {row.employee: row.orders for row in await connection.execute(by_seller)}
        waiting = await connection.execute(select(fact_quarantine.c.fact, fact_quarantine.c.codes))
        funnel, posts = FACT_TABLES["funnel_event"].c, FACT_TABLES["content_post"].c
        kinds = await connection.execute(select(funnel.kind, func.count().label("rows")).group_by(funnel.kind))
        steps = {row.kind: row.rows for row in kinds}
        known = (posts.employee.is_not(None), posts.original.is_not(None))
        registered = await connection.scalar(select(func.count()).where(*known)) or 0
        newest = await connection.scalar(select(func.max(scorecards.c.period)))
        before = await connection.scalar(select(func.max(scorecards.c.period)).where(scorecards.c.period < newest))
        unscored = (scorecards.c.period == before, scorecards.c.status != "scored")
        without = select(scores.c.indicator, scores.c.no_score).where(
            scores.c.period == before, scores.c.no_score.in_(("source_missing", "source_late", "no_target"))
        )
        return Found(
            rows,
            net or 0,
            cost or 0,
            sold,
            sorted((row.fact, row.codes) for row in waiting),
            steps,
            registered,
            list(await connection.scalars(select(scorecards.c.employee).where(*unscored))),
            [(row.indicator, row.no_score) for row in await connection.execute(without)],
        )


@pytest.mark.parametrize(
    ("preset", "own"), [("erp_odoo", list(odoo.OWN_FIELDS.values())), ("desk_zendesk", [zendesk.OWN_FIELDS])]
)
def test_the_companys_own_fields_are_those_that_the_preset_names(preset: str, own: list[Mapping[str, object]]) -> None:
    """It reads ERP, CRM and desk by the presets that ship, with the ``#`` taken away."""
    behind = re.findall(r"^ +# (\w+: (?:\{.*\}|[\w.]+))$", preset_text(preset), re.MULTILINE)
    named = [yaml.safe_load(line) for line in behind]
    assert [{field: value} for fields in own for field, value in fields.items()] == named


async def test_an_erp_refuses_what_odoo_would_refuse() -> None:
    """So that a preset that asks for a field that is not there can not pass."""
    transport = httpx.ASGITransport(make_systems(business(1)).app)
    asked = {"fields": ["name"], "limit": 2, "order": "id asc"}
    good = ("odoo", odoo.USER, KEY, "sale.order", "search_read", [[["id", ">", 1]]])
    async with httpx.AsyncClient(transport=transport, base_url="http://erp") as client:

        async def said(*args: object, service: str = "object") -> dict[str, Any]:
            call = {"jsonrpc": "2.0", "id": 1, "method": "call", "params": {"service": service, "args": list(args)}}
            told: dict[str, Any] = (await client.post("/jsonrpc", json=call)).json()
            return told

        assert (await said("odoo", odoo.LOGIN, "no", service="common"))["result"] is False
        assert [row["id"] for row in (await said(*good, asked))["result"]] == [2, 3]
        refused = await said(*good, asked | {"fields": ["x_nothing"]})
        assert "x_nothing" in refused["error"]["data"]["message"]
        assert "error" in await said("odoo", odoo.USER, "no", *good[3:], asked)


async def test_what_is_asked_without_its_key_is_refused_as_its_maker_would() -> None:
    transport = httpx.ASGITransport(make_systems(business(1)).app)
    async with httpx.AsyncClient(transport=transport, base_url="http://systems") as client:
        form = {"method": "VisitsSummary.get", "date": "2026-11-01,2026-11-02"}
        matomo = await client.post("/index.php", data={**form, "token_auth": "no"})
        assert (matomo.status_code, matomo.json()["result"]) == (200, "error")
        assert (await client.post("/token", data={"refresh_token": "no"})).status_code == 400
        assert (await client.post("/v1beta/properties/1:runReport", json={})).status_code == 401
        days = {"begin_date": "2026-11-01", "end_date": "2026-11-02"}
        wechat = await client.post("/datacube/getarticletotal?access_token=no", json=days)
        assert (wechat.status_code, wechat.json()["errcode"]) == (200, 40001)
        long = await client.post(f"/datacube/getarticletotal?access_token={KEY}", json=days)
        assert long.json()["errcode"] == 61501, "articles of one day at a time"


def test_systems_know_nothing_of_the_connectors_that_ask_them() -> None:
    """What they answer is their makers' word, not ours."""
    folder = Path(odoo.__file__).parent
    for name in ("odoo", "hubspot", "zendesk", "matomo", "ga4", "wechat", "redmine"):
        assert "from server" not in (folder / f"{name}.py").read_text()


def test_news_of_the_running_demo_are_rows_of_their_facts_and_none_comes_twice() -> None:
    now = datetime(2026, 11, 25, 15, tzinfo=ZONE)
    keys = set()
    for number in range(20):
        news = make_news(now, number, random.Random(number), sellers=["a"], agents=["b"], couriers=["c"])
        rows = {"sales_order": news.order, "ticket": news.ticket, "shipment": news.parcel}
        keys |= {(fact, FACTS[fact].row.model_validate(row).source_key) for fact, row in rows.items()}
    assert len(keys) == 20 * 3
