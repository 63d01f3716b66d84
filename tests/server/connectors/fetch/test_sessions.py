"""Sign-in that is part of a body, as with Odoo; tokens by form and by query."""

import asyncio
import threading
from typing import Any
from urllib.parse import parse_qs

import pytest

from server.connectors.errors import ReplyError, SourceFileError
from server.connectors.fetch.opening import opened
from server.connectors.fetch.secrets import Secrets
from server.connectors.reply import Page
from server.connectors.source_file import Source, read_source
from tests.server.connectors.faulty import Call, Reply, peer

SECRETS = Secrets(environ={"LOGIN": "ann", "KEY": "k3y", "ID": "CUST"})


def source(url: str, auth: str, stream: str, *, kind: str = "http_json", dialect: str = "plain") -> Source:
    text = f"""
source: one
kind: {kind}
dialect: {dialect}
base_url: {url}
limits: {{requests_per_minute: 60000}}
auth: {auth}
ok: {{path: error, absent: true}}
streams:
  - fact: customer
    key: id
    map: {{customer_key: id}}
    {stream}
"""
    return read_source(text, "one.yaml")


async def asked(made: Source, **values: Any) -> Page:
    async with opened(made, SECRETS) as at:
        return await at.asks(made.streams[0])(values)


ODOO = """call: {path: /jsonrpc, database: prod, model: res.partner, method: search_read, fields: [id, write_date],
      domain: [[customer_rank, ">", 0]], context: {lang: zh_CN}}
    rows: result
    page: {type: keyset, field: id, size: 2}
    cursor: {field: write_date}"""
ODOO_AUTH = '{type: odoo_login, login: "${env:LOGIN}", api_key: "${env:KEY}"}'


async def test_odoo_is_asked_by_the_number_of_the_user() -> None:
    def answer(call: Call) -> Reply:
        if call.body["params"]["service"] == "common":
            assert call.body["params"] == {"service": "common", "method": "login", "args": ["prod", "ann", "k3y"]}
            return Reply({"jsonrpc": "2.0", "id": 0, "result": 7})
        return Reply({"jsonrpc": "2.0", "id": 1, "result": [{"id": 4}]})

    with peer(answer) as system:
        made = source(system.url, ODOO_AUTH, ODOO, kind="jsonrpc", dialect="odoo")
        page = await asked(made, after=3, since=None)
    assert page.rows == [{"id": 4}]
    assert [call.path for call in system.calls] == ["/jsonrpc", "/jsonrpc"]
    assert system.calls[1].body["method"] == "call"
    assert system.calls[1].body["params"] == {
        "service": "object",
        "method": "execute_kw",
        "args": [
            "prod",
            7,
            "k3y",
            "res.partner",
            "search_read",
            [[["customer_rank", ">", 0], ["id", ">", 3]]],
            {"fields": ["id", "write_date"], "limit": 2, "order": "id asc", "context": {"lang": "zh_CN"}},
        ],
    }


@pytest.mark.parametrize("result", [False, None, True, "7"])
async def test_odoo_that_knows_no_such_user_is_not_asked_again(result: Any) -> None:
    with peer(lambda _call: Reply({"result": result})) as system:
        made = source(system.url, ODOO_AUTH, ODOO, kind="jsonrpc", dialect="odoo")
        with pytest.raises(ReplyError) as raised:
            await asked(made)
    assert (raised.value.code, len(system.calls)) == ("auth_failed", 1)


async def test_a_token_is_asked_for_by_a_form_or_by_a_query() -> None:
    def answer(call: Call) -> Reply:
        if call.path == "/token":
            return Reply({"access_token": "t0"})
        return Reply([])

    stream = "call: {path: /rows}"
    by_form = '{type: token_exchange, url: /token, form: true, prefix: "Bearer ", body: {client_secret: "${env:KEY}"}}'
    by_query = '{type: token_exchange, url: /token, method: GET, body: {corpid: ww1, corpsecret: "${env:KEY}"}}'
    with peer(answer) as system:
        await asked(source(system.url, by_form, stream))
        await asked(source(system.url, by_query, stream))
    assert system.calls[0].body == "client_secret=k3y"
    assert system.calls[1].headers["Authorization"] == "Bearer t0"
    assert (system.calls[2].query, system.calls[2].body) == ({"corpid": "ww1", "corpsecret": "k3y"}, "")
    assert system.calls[3].query == {"access_token": "t0"}


async def test_a_token_is_in_the_form_where_there_is_one() -> None:
    stream = "call: {path: /index.php, form: true, body: {module: API}}"
    with peer(lambda _call: Reply([])) as system:
        await asked(source(system.url, '{type: query_token, name: token_auth, token: "${env:KEY}"}', stream))
    assert system.calls[0].query == {}
    assert parse_qs(system.calls[0].body) == {"module": ["API"], "token_auth": ["k3y"]}


def test_no_secret_is_in_a_source_file() -> None:
    with pytest.raises(SourceFileError, match="a secret is never in the file"):
        source("https://x.example.com", ODOO_AUTH.replace("${env:KEY}", "k3y"), "call: {path: /x}")


EXCHANGE = '{type: token_exchange, url: /token, prefix: \'T \', app_secret: "${env:KEY}", body: {secret: "${env:KEY}"}}'


@pytest.mark.parametrize(("first", "signed_in"), [("old", 2), (None, 1)])
async def test_calls_at_the_same_time_renew_a_token_once_and_try_a_login_that_is_refused_once(
    first: str | None, signed_in: int
) -> None:
    tokens, late = [first, "new"], [False, False, True]
    renewed = threading.Event()

    def answer(call: Call) -> Reply:
        if call.path == "/token":
            token = tokens.pop(0)
            if not tokens:
                renewed.set()
            return Reply({"access_token": token})
        if call.headers["Authorization"] == "T new":
            return Reply([{"id": 1}])
        if late.pop(0):
            renewed.wait(5)  # this one learns only then that its token has ended
        return Reply(status=401)

    with peer(answer) as system:
        made = source(system.url, EXCHANGE, "call: {path: /rows}")
        async with opened(made, SECRETS) as at:
            asks = [at.asks(made.streams[0])({}) for _ in range(3)]
            found = await asyncio.gather(*asks, return_exceptions=True)
    assert [call.path for call in system.calls].count("/token") == signed_in
    if first is None:
        assert [getattr(one, "code", None) for one in found] == ["auth_failed"] * 3
    else:
        assert [one.rows for one in found if isinstance(one, Page)] == [[{"id": 1}]] * 3
