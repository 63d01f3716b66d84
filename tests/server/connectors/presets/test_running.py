"""Every preset signs in and asks, page after page, against a server that answers in its system's shape."""

import copy
import datetime as dt
import json
import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml
from sqlalchemy import insert

from server.connectors.fetch.secrets import Secrets
from server.connectors.paths import look
from server.connectors.presets import load_preset, preset_names, preset_text
from server.connectors.source_file import Paging, Source, Stream
from server.services import sources
from server.services.sync import Order, Run, run_source
from server.store.database import Database
from server.store.fact_tables import FACT_TABLES
from server.store.log_queries import Entry
from server.store.source_tables import identity_links
from server.store.tables import departments, employees, sites
from shared.clock import system_clocks
from tests.server.connectors.faulty import Answer, Call, Reply, peer
from tests.server.connectors.presets.recorded import RECORDED

ASKED = [
    (name, stream.id)
    for name in preset_names()
    for stream in load_preset(name).streams
    if load_preset(name).kind not in ("webhook", "file")
]
TODAY = dt.datetime.now(dt.UTC).date()


@pytest.fixture(autouse=True)
def _no_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the server's side refuses is told at once."""
    monkeypatch.setattr("server.connectors.fetch.opening.delay_s", lambda *_: None)


@pytest.mark.parametrize(("preset", "stream"), ASKED)
async def test_a_preset_reads_its_system(db: Database, tmp_path: Path, preset: str, stream: str) -> None:
    [one] = [one for one in RECORDED if one.preset == preset and one.reply.stem == stream]
    await people_and_parcels(db, preset, carrier(load_preset(preset), stream))
    secrets = fill_secrets(tmp_path, preset)
    with peer(answers(load_preset(preset), stream, json.loads(one.reply.read_text()))) as system:
        url = system.url
        if load_preset(preset).kind == "sql":
            url = f"sqlite:///{tmp_path / 'peer.db'}"
            make_table(tmp_path / "peer.db", load_preset(preset), stream, json.loads(one.reply.read_text()))
        await sources.put_source(db, at(preset, url), f"{preset}.yaml", Entry(1, "it", "source.put", preset))
        first = await run(db, preset, stream, secrets)
        system.answer = answers(load_preset(preset), stream, json.loads(one.reply.read_text()))
        again = await run(db, preset, stream, secrets)
    assert (first.state, first.error, first.message) == ("ok", None, "")
    keys = {row["source_key"] for row in one.expected["rows"]}
    assert first.counts.added == len(keys)
    if load_preset(preset).kind != "sql":  # a query by key and time does not show a row that has neither
        assert first.counts.waiting == len(one.expected.get("quarantine", []))
    assert (again.state, again.counts.added, again.counts.changed) == ("ok", 0, 0)


async def run(db: Database, preset: str, stream: str, secrets: Secrets) -> Run:
    order = Order(clocks=system_clocks(), holder="test")
    [(_, done)] = await run_source(
        db, preset, lambda source: [one for one in source.streams if one.id == stream], secrets, order
    )
    return done


def at(preset: str, url: str) -> str:
    """The preset at that address, in a hurry, with a first pass that begins a few days ago."""
    document = yaml.safe_load(preset_text(preset))
    document |= {"base_url": url, "allow_hosts": ["127.0.0.1"]}
    document.setdefault("limits", {})["requests_per_minute"] = 60_000
    if document["kind"] == "sql":
        document.pop("auth")  # SQLite knows no users
    auth = document.get("auth", {})
    if str(auth.get("url", "")).startswith("http"):
        auth["url"] = "/elsewhere/token"
    for stream in document["streams"]:
        stream.setdefault("expect", {})["max_reject_ratio"] = 1
        stream.setdefault("full_compare", "never")
        if "start" in stream.get("cursor", {}):
            stream["cursor"]["start"] = TODAY - dt.timedelta(days=4)
    return yaml.safe_dump(document, allow_unicode=True)


def fill_secrets(folder: Path, preset: str) -> Secrets:
    text = preset_text(preset)
    for name in re.findall(r"\$\{secret:([^}]+)\}", text):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text("s3cret")
    return Secrets(folder, dict.fromkeys(re.findall(r"\$\{env:([^}]+)\}", text), "somebody"))


def answers(source: Source, stream_id: str, reply: Any) -> Answer:
    """Signs everybody in who asks as the system wants it; then the recorded page, and after it empty ones."""
    [stream] = [one for one in source.streams if one.id == stream_id]
    details = details_of(stream, reply)
    left: Iterator[Any] = iter([without_details(stream, reply)])

    def answer(call: Call) -> Reply:
        token = signed_in(source, call)
        if token is not None:
            return Reply(token)
        assert_signed(source, call)
        if unquote(call.path) in details:
            return Reply(details[unquote(call.path)])
        return Reply(next(left, emptied(stream, reply)))

    return answer


def details_of(stream: Stream, reply: Any) -> dict[str, Any]:
    """What the call for each row says, by its path, out of the rows that have it inside."""
    found: dict[str, Any] = {}
    if stream.detail is not None:
        for row in look(reply, stream.rows):
            told = found.setdefault(stream.detail.path.replace("{id}", str(look(row, stream.detail.id))), {})
            put(told, stream.detail.rows, row[stream.detail.into])
    return found


def without_details(stream: Stream, reply: Any) -> Any:
    found = copy.deepcopy(reply)
    if stream.detail is not None:
        for row in look(found, stream.rows):
            del row[stream.detail.into]
    return found


def signed_in(source: Source, call: Call) -> Any:
    """The answer to a sign-in; None for any other call."""
    auth, body = source.auth, call.body
    if auth.type == "token_exchange" and call.path in (str(auth.url), "/elsewhere/token"):
        assert "s3cret" in f"{body}{call.query}"
        path = auth.token_path or ("access_token",)
        token: Any = "t0ken"
        for step in reversed(path):
            token = {step: token}
        return {**token, "errcode": 0, "code": 0} if source.ok else token
    if auth.type == "tryton_session" and body["method"] == "common.db.login":
        return {"id": 0, "result": [1, "t0ken"]}
    if auth.type == "odoo_login" and body["params"]["service"] == "common":
        return {"id": 0, "result": 7}
    if auth.type == "limesurvey_session" and body["method"] == "get_session_key":
        return {"id": 0, "result": "t0ken", "error": None}
    return None


def assert_signed(source: Source, call: Call) -> None:
    told = f"{call.headers} {call.query} {call.body}"
    if source.auth.type in ("token_exchange", "limesurvey_session"):
        assert "t0ken" in told
    elif source.auth.type not in ("none", "tryton_session", "basic", "hmac_md5_param", "md5_digest_param"):
        assert "s3cret" in told
    elif source.auth.type == "basic":
        assert call.headers["Authorization"].startswith("Basic ")


def emptied(stream: Stream, reply: Any) -> Any:
    """The same reply without rows, as the last page has it."""
    page = innermost(stream.page)
    if isinstance(reply, dict) and isinstance(reply.get("result"), str):
        return {**reply, "result": "eyJyZXNwb25zZXMiOiBbXX0="}  # LimeSurvey: {"responses": []}
    if isinstance(reply, dict) and isinstance(reply.get("apiResultData"), str):
        return {**reply, "apiResultData": '{"msgData": {"routeResps": []}}'}
    found = copy.deepcopy(reply)
    if not stream.rows:
        return {} if stream.keyed else []
    put(found, stream.rows, [])
    for path, value in ((page.next, None), (page.more, False), (page.end, True)):
        if path is not None:
            put(found, path, value)
    return found


def innermost(paging: Paging) -> Paging:
    return paging if paging.within is None else innermost(paging.within)


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for step in path[:-1]:
        value = value.setdefault(step, {})
    value[path[-1]] = new


def make_table(path: Path, source: Source, stream_id: str, rows: list[dict[str, Any]]) -> None:
    """What the view gives, as a table of the name that the preset asks."""
    [stream] = [one for one in source.streams if one.id == stream_id]
    found = re.search(r"\sfrom\s+(\w+)", stream.call.sql or "", re.IGNORECASE)
    assert found
    with sqlite3.connect(path) as peer_db:
        peer_db.execute(f"create table {found[1]} ({', '.join(rows[0])})")
        marks = ", ".join("?" * len(rows[0]))
        if any("changed_at" in row for row in rows):
            rows = [{**row, "changed_at": f"{TODAY} 08:00:00"} for row in rows]
        values = [tuple(row.values()) for row in rows]
        peer_db.executemany(f"insert into {found[1]} values ({marks})", values)  # noqa: S608  (the preset's own name)


def carrier(source: Source, stream_id: str) -> str | None:
    """Whose parcels the stream asks about."""
    [stream] = [one for one in source.streams if one.id == stream_id]
    paging: Paging | None = stream.page
    while paging is not None:
        if paging.carriers:
            return paging.carriers[0]
        paging = paging.within
    return None


async def people_and_parcels(db: Database, preset: str, carrier_code: str | None) -> None:
    """Whom, and which parcels, a source that is asked by id is asked about."""
    async with db.writing() as connection:
        await connection.execute(insert(sites).values(id="s", name_zh="s", name_en="s", zone="Asia/Shanghai"))
        await connection.execute(insert(departments).values(id="d", name_zh="d", name_en="d"))
        person = {"id": "e", "name": "e", "department": "d", "site": "s", "position": "", "joined_on": TODAY}
        await connection.execute(insert(employees).values(person))
        link = {"source": preset, "employee_key": "u1", "valid_from": dt.date(2020, 1, 1), "employee": "e"}
        await connection.execute(insert(identity_links).values(link))
        now_ms = system_clocks().wall_ms()
        parcel = {"source": "tms", "source_key": "1", "tracking_no": "SF1", "status": "in_transit"}
        parcel |= {"carrier_code": carrier_code} if carrier_code else {}
        ours = {"payload_hash": b"", "first_seen_ms": now_ms, "changed_ms": now_ms, "run": 1, "deleted": False}
        await connection.execute(insert(FACT_TABLES["shipment"]).values(**parcel, **ours))
