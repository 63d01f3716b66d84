"""What a list leaves out is asked for row by row, and becomes a field of the row."""

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from server.connectors.errors import ReplyError, SourceFileError
from server.connectors.fetch.opening import opened, read_pass
from server.connectors.fetch.position import Position
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import read_source
from tests.server.connectors.faulty import Answer, Call, Reply, peer

NOW = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
SOURCE = """
source: desk
kind: http_json
base_url: {url}
auth: {{type: bearer, token: "${{env:TOKEN}}"}}
limits: {{requests_per_minute: 60000}}
streams:
  - fact: ticket
    call: {{path: /tickets, method: POST, body: {{all: true}}, headers: {{X-Of: desk}}}}
    rows: items
    detail:
      path: "/ticket/{{id}}/history"
      params: {{fields: kind}}
      id: key
      rows: steps
      into: history
      drop: [{{path: kind, among: [mail]}}]
      drop_same: {{path: by.id, of: askers, at: id}}
    key: key
    map: {{created_at: at, status: {{const: open}}}}
"""


async def rows(answer: Answer, text: str = SOURCE) -> list[Any]:
    with peer(answer) as system:
        source = read_source(text.format(url=system.url), "desk.yaml")
        async with opened(source, Secrets(Path(), {"TOKEN": "t"})) as at:
            pages = read_pass(at, source.streams[0], Position(), now=NOW)
            return [row async for fetched, _ in pages for row in fetched.rows]


def step(kind: str, by: str) -> dict[str, Any]:
    return {"kind": kind, "by": {"id": by}}


async def test_each_row_gets_what_its_own_call_says() -> None:
    asked: list[Call] = []
    told = {
        "/ticket/1/history": [step("reply", "agent"), step("mail", "agent"), step("reply", "kunde"), "no object"],
        "/ticket/a%2Fb/history": [],
    }

    def answer(call: Call) -> Reply:
        asked.append(call)
        if call.path == "/tickets":
            return Reply({"items": [{"key": 1, "askers": [{"id": "kunde"}]}, {"key": "a/b"}, {"at": "x"}, "no row"]})
        return Reply({"steps": told[call.path]})

    assert await rows(answer) == [
        {"key": 1, "askers": [{"id": "kunde"}], "history": [step("reply", "agent"), "no object"]},
        {"key": "a/b", "history": []},
        {"at": "x"},
        "no row",
    ]
    assert [call.path for call in asked] == ["/tickets", *told], "one that has no id is not asked about"
    assert [call.body for call in asked] == [{"all": True}, "", ""]
    assert {call.headers["Authorization"] for call in asked} == {"Bearer t"}
    assert {call.headers["X-Of"] for call in asked} == {"desk"}
    assert asked[1].query == {"fields": "kind"}


async def test_a_detail_that_can_not_be_had_is_no_row_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.connectors.fetch.opening.delay_s", lambda *_: None)

    def answer(call: Call) -> Reply:
        return Reply({"items": [{"key": 1}]}) if call.path == "/tickets" else Reply(status=500)

    with pytest.raises(ReplyError):
        await rows(answer)


def test_only_what_is_asked_over_http_has_details() -> None:
    text = SOURCE.format(url="sqlite:///x").replace("kind: http_json", "kind: sql")
    with pytest.raises(SourceFileError, match="detail is for kind http_json"):
        read_source(text, "desk.yaml")
