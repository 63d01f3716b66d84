"""Connects the business systems of the sample company: sources with the presets that ship, people, targets, rows."""

import asyncio
import contextlib
import hashlib
import hmac
import itertools
import json
import random
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
import yaml

from muster.business import odoo, zendesk
from muster.business.answers import KEY, Systems, make_systems
from muster.business.books import write_books
from muster.business.company import Business
from muster.business.live import LIVE_S, make_news
from muster.business.papers import MEDIA_HISTORY, write_papers
from muster.business.rows import ZONE, Rows, Span
from muster.sample.people import Person
from server.access.scope import Scope
from server.config import ServerConfig
from server.connectors.presets import preset_text
from server.scoring.target import EVERYBODY, Target
from server.services.sources import put_source
from server.services.targets import set_targets
from server.store import link_queries
from server.store.database import Database
from server.store.link_queries import LinkRow
from server.store.log_queries import Entry
from shared.clock import system_clocks

HOST = "127.0.0.1"
SECRET = "business"  # noqa: S105  (the name of its file)
BATCH = 1_000
TRIES = 6
CALLS_A_MINUTE = 6_000
"""All is on this machine; no vendor's limit has to be kept."""
OFTEN = "10s"
"""How often what goes on in the demo is asked for."""
_BY_NUMBER = ("erp_odoo", "crm_hubspot", "desk_zendesk")
"""Systems that know people by numbers of their own."""
_TARGETS = (
    ("biz_sales_amount", "55000"),
    ("biz_new_customers", "20"),
    ("nm_reads", "70000"),
    ("nm_conversions", "60"),
    ("dsg_page_conversion_rate", "6"),
)


def add_secret(settings: Path) -> str:
    """Make the secret that the senders sign with, beside the settings of the server that is to start."""
    folder = settings.parent / "secrets"
    folder.mkdir(mode=0o700, exist_ok=True)
    secret = secrets.token_urlsafe(24)
    for name, value in ((SECRET, secret), (KEY, KEY)):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(value)
    return secret


async def connect(db: Database, config: ServerConfig, business: Business, answers_url: str, folder: Path) -> None:
    """Write what is read from files and databases, then set up people, targets and sources.

    Sources come last: the server reads them from that moment on, and whose rows they are is known by then.
    """
    books = folder / "books.db"
    await asyncio.to_thread(write_books, books, business)
    await asyncio.to_thread(write_papers, config.files, business)
    texts = dict(_presets(books, answers_url, business.span))
    await _link(db, sorted(texts), business.span.people, business.span.first)
    targets = [Target(indicator, EVERYBODY, business.span.first, target) for indicator, target in _TARGETS]
    await set_targets(db, Scope.system(), targets, _entry("scores.targets"))
    for name, text in texts.items():
        await put_source(db, text, f"{name}.yaml", _entry("sources.put"))


async def push_all(url: str, secret: str, business: Business, tell: Callable[[int, int], None]) -> None:
    """Send what the carrier has, batch by batch; ``tell`` is given how many rows of how many are there."""
    pushed = list(business.pushed())
    total, sent = sum(len(rows) for _, _, rows in pushed), 0
    async with httpx.AsyncClient(base_url=url, timeout=120) as client:
        for source, fact, rows in pushed:
            for start in range(0, len(rows), BATCH):
                await push(client, secret, source, fact, rows[start : start + BATCH])
                sent += len(rows[start : start + BATCH])
                tell(sent, total)


async def push(client: httpx.AsyncClient, secret: str, source: str, fact: str, rows: Rows) -> dict[str, Any]:
    """Send rows as docs/howto/push-data.md says; a server that is too busy is asked again, a little later."""
    body = json.dumps({"batch_id": str(uuid.uuid4()), "rows": rows}).encode()
    for patience in range(TRIES):
        at, nonce = str(int(time.time())), uuid.uuid4().hex
        signature = hmac.new(secret.encode(), f"{at}.{nonce}.".encode() + body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Timestamp": at,
            "X-Nonce": nonce,
            "X-Signature": f"v1={signature}",
        }
        answer = await client.post(f"/api/v1/ingest/{source}/{fact}", content=body, headers=headers)
        if not answer.is_server_error:
            break
        await asyncio.sleep(patience)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


@dataclass(frozen=True, slots=True)
class Answering:
    """Systems that can be asked."""

    url: str
    systems: Systems


@asynccontextmanager
async def answering(business: Business, port: int) -> AsyncIterator[Answering]:
    """The systems that are asked over HTTP, as long as the block lasts."""
    systems = make_systems(business)
    server = uvicorn.Server(uvicorn.Config(systems.app, HOST, port, log_level="error", lifespan="off"))
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]  # the demo has its own
    running = asyncio.create_task(server._serve())  # noqa: SLF001  (serve() would take the signals)
    try:
        while not server.started and not running.done():  # noqa: ASYNC110  (uvicorn has no event for it)
            await asyncio.sleep(0.01)
        yield Answering(f"http://{HOST}:{port}", systems)
    finally:
        server.should_exit = True
        await running


def _carrier() -> str:
    source = yaml.safe_load(preset_text("carrier_push"))
    source["push"]["secrets"] = [f"${{secret:{SECRET}}}"]
    source["limits"]["requests_per_minute"] = CALLS_A_MINUTE
    return _text(source)


def _presets(books: Path, answers_url: str, span: Span) -> list[tuple[str, str]]:
    over_http = ("web_ga4", "web_matomo", "design_redmine", "media_wechat", "crm_hubspot")
    return [
        ("carrier_push", _carrier()),
        *((name, _over_sql(name, books)) for name in ("finance_sql", "recruit_sql", "contracts_sql", "campaign_sql")),
        *((name, _over_http(name, answers_url, span)) for name in over_http),
        ("erp_odoo", _erp(answers_url)),
        ("desk_zendesk", _desk(answers_url, span.first)),
        *((name, preset_text(name)) for name in ("training_file", "survey_file")),
        ("media_history", _text(dict(MEDIA_HISTORY))),
    ]


def _over_sql(name: str, books: Path) -> str:
    source = yaml.safe_load(preset_text(name))
    source |= {"base_url": f"sqlite:///{books}"}
    source.pop("auth")
    if name == "contracts_sql":
        stream = source["streams"][0]
        stream["call"]["sql"] = stream["call"]["sql"].replace("pay_grade from", "pay_grade, pay_min, pay_max, pay from")
        pay = {"pay_min_minor": "pay_min", "pay_max_minor": "pay_max", "pay_minor": "pay"}
        stream["map"] |= {field: {"path": path, "as": "money_minor"} for field, path in pay.items()}
    return _text(source)


def _over_http(name: str, url: str, span: Span) -> str:
    """A preset as it ships, from the first day that its system tells of; whole months where it gives them."""
    source = _here(name, url)
    auth = source["auth"]
    if "token" in auth:
        auth["token"] = f"${{secret:{KEY}}}"
    else:
        own = {part: text for part, text in auth["body"].items() if str(text).startswith("${")}
        auth["body"] |= dict.fromkeys(own, f"${{secret:{KEY}}}")
    if str(auth.get("url", "")).startswith("https://"):  # of another host
        auth["url"] = f"{url}/token"
    for stream in source["streams"]:
        if stream.get("page", {}).get("type") == "date_window":
            stream["cursor"] = {
                "field": "date",
                "start": str(span.whole_from if name == "media_wechat" else span.first),
            }
            if name != "media_wechat":
                stream["page"]["days"] = 31
    return _text(source)


def _erp(url: str) -> str:
    """Odoo with the fields that the company has added to it, without the parts that it does not use."""
    source = _here("erp_odoo", url)
    source["auth"] |= {"login": odoo.LOGIN, "api_key": f"${{secret:{KEY}}}"}
    source["streams"] = [stream for stream in source["streams"] if stream["fact"] in odoo.STREAMS]
    for stream in source["streams"]:
        stream["call"]["fields"] += odoo.own_fields(stream["fact"])
        stream["map"] |= odoo.OWN_FIELDS.get(stream["fact"], {})
    source["streams"][0]["every"] = OFTEN
    return _text(source)


def _desk(url: str, first: date) -> str:
    source = _here("desk_zendesk", url)
    source["auth"] |= {"login": zendesk.LOGIN, "password": f"${{secret:{KEY}}}"}
    source["streams"][0]["map"] |= zendesk.OWN_FIELDS
    for stream in source["streams"]:
        stream["cursor"]["start"] = str(first)
    source["streams"][0]["every"] = OFTEN
    return _text(source)


def _here(name: str, url: str) -> dict[str, Any]:
    source: dict[str, Any] = yaml.safe_load(preset_text(name))
    source["base_url"] = url
    source["limits"]["requests_per_minute"] = CALLS_A_MINUTE
    return source


def _text(source: dict[str, Any]) -> str:
    return yaml.safe_dump(source, allow_unicode=True, sort_keys=False, width=200)


async def _link(db: Database, sources: Sequence[str], people: Sequence[Person], since: date) -> None:
    """Some systems know our people by numbers of their own; whoever else one names stays unmatched."""
    first = since - timedelta(days=2_000)
    for source in sources:
        async with db.writing() as connection:
            for person in people:
                key = person.number if source in _BY_NUMBER else person.id
                await link_queries.put_link(connection, LinkRow(source, key, first, None, person.id))


def _entry(action: str) -> Entry:
    return Entry(system_clocks().wall_ms(), "demo", action, "")


async def go_on(url: str, secret: str, business: Business, systems: Systems) -> None:
    """New orders, tickets and parcels every few seconds, until cancelled: the first two wait to be asked for."""
    pick = random.Random(business.span.seed)  # noqa: S311  (a made-up company)
    people = business.span
    sellers, agents = people.of("business", "sales_rep"), people.of("customer_service")
    couriers = people.of("logistics", "courier")
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        for number in itertools.count(1):
            now = datetime.now(ZONE)
            news = make_news(now, number, pick, sellers=sellers, agents=agents, couriers=couriers)
            systems.erp.add(news.order)
            systems.desk.add(news.ticket)
            with contextlib.suppress(httpx.HTTPError):
                await push(client, secret, "carrier_push", "shipment", [news.parcel])
            await asyncio.sleep(LIVE_S)
