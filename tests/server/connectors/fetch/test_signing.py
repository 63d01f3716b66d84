"""Who asks, and where: sign-in of each kind against a real server, and the guard over addresses (SEC-31)."""

import base64
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from server.connectors.errors import ReplyError
from server.connectors.fetch.auth import SignIn
from server.connectors.fetch.client import Client, Request, may_call
from server.connectors.fetch.opening import opened
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import Source, read_source
from shared.clock import Clocks
from shared.errors import ConfigError
from tests.server.connectors.faulty import Call, Reply, peer

SECRETS = Secrets(environ={"LOGIN": "ann", "KEY": "k3y", "ID": "CUST"})


def source(url: str, auth: str, *, kind: str = "http_json", call: str = "{path: /rows}", more: str = "") -> Source:
    text = f"""
source: one
kind: {kind}
base_url: {url}
limits: {{requests_per_minute: 60000}}
auth: {auth}
{more}
streams:
  - {{fact: customer, call: {call}, key: id, map: {{customer_key: id}}}}
"""
    return read_source(text, "one.yaml")


async def ask(made: Source) -> None:
    async with opened(made, SECRETS) as at:
        await at.asks(made.streams[0])({})


HEADERS = {
    '{type: basic, login: "${env:LOGIN}", password: "${env:KEY}"}': (
        "Authorization",
        "Basic " + base64.b64encode(b"ann:k3y").decode(),
    ),
    '{type: bearer, token: "${env:KEY}"}': ("Authorization", "Bearer k3y"),
    '{type: header, name: X-Redmine-API-Key, token: "${env:KEY}"}': ("X-Redmine-API-Key", "k3y"),
    '{type: header, prefix: "token id:", token: "${env:KEY}"}': ("Authorization", "token id:k3y"),
}


@pytest.mark.parametrize("auth", HEADERS)
async def test_a_header_says_who_asks(auth: str) -> None:
    with peer(lambda _call: Reply([])) as system:
        await ask(source(system.url, auth))
    name, value = HEADERS[auth]
    assert system.calls[0].headers[name] == value


async def test_a_parameter_says_who_asks() -> None:
    with peer(lambda _call: Reply([])) as system:
        await ask(source(system.url, '{type: query_token, name: wstoken, token: "${env:KEY}"}'))
    assert system.calls[0].query == {"wstoken": "k3y"}


async def test_a_token_is_fetched_once_and_renewed_when_it_ended() -> None:
    given: list[str] = []

    def answer(call: Call) -> Reply:
        if call.path == "/token":
            assert call.body == {"app": "a1", "secret": "k3y"}
            given.append(f"t{len(given)}")
            return Reply({"errcode": 0, "access_token": given[-1], "expires_in": 7200})
        return Reply({"errcode": 40001} if call.query["access_token"] == "t0" else {"errcode": 0, "rows": []})

    auth = '{type: token_exchange, url: /token, body: {app: a1, secret: "${env:KEY}"}}'
    with peer(answer) as system:
        made = source(system.url, auth, more="ok: {path: errcode, equals: 0, signed_out: [40001]}")
        async with opened(made, SECRETS) as at:
            for _ in range(2):
                await at.asks(made.streams[0])({})
    assert [call.path for call in system.calls] == ["/token", "/rows", "/token", "/rows", "/rows"]


async def test_kuaidi100_is_signed_with_the_md5_of_param_key_and_customer() -> None:
    """MD5 of ``{"num":"1"}k3yCUST`` by md5sum(1), in capitals."""
    with peer(lambda _call: Reply([])) as system:
        auth = '{type: hmac_md5_param, app_id: "${env:ID}", api_key: "${env:KEY}"}'
        await ask(source(system.url, auth, call='{path: /query, form: true, body: {param: {num: "1"}}}'))
    assert "sign=E1BB7A010AE7F63A36065E08B94F1B46" in system.calls[0].body
    assert "customer=CUST" in system.calls[0].body


async def test_sf_express_is_signed_with_the_md5_of_what_java_would_encode() -> None:
    """``printf %s TEXT | openssl md5 -binary | base64`` over
    ``%7B%22num%22%3A%5B%22SF+1%7E*%22%5D%7D1764000000000k3y``.
    """
    auth = '{type: md5_digest_param, app_id: "${env:ID}", app_secret: "${env:KEY}"}'
    made = source("https://sf.example", auth)
    client = Client(made, SECRETS)
    sign_in = SignIn(made, client, SECRETS, Clocks(lambda: 1_764_000_000_000, lambda: 0))
    signed = await sign_in.signed(Request("/std/service", "POST", form={"msgData": {"num": ["SF 1~*"]}}))
    await client.close()
    assert signed.form is not None
    assert signed.form.pop("requestID")
    assert signed.form == {
        "msgData": '{"num":["SF 1~*"]}',
        "partnerID": "CUST",
        "timestamp": "1764000000000",
        "msgDigest": "IHliXofukCPNvDjSeFZB4g==",
    }


async def test_limesurvey_gets_its_session_key_as_the_first_argument_and_a_new_one_when_it_ended() -> None:
    keys = iter(("old", "new"))

    def answer(call: Call) -> Reply:
        if call.body["method"] == "get_session_key":
            assert call.body["params"] == ["ann", "k3y"]
            return Reply({"result": next(keys)})
        return Reply({"result": {"status": "Invalid session key"} if call.body["params"][0] == "old" else []})

    auth = '{type: limesurvey_session, login: "${env:LOGIN}", password: "${env:KEY}"}'
    more = 'ok: {path: result.status, absent: true, signed_out: ["Invalid session key"]}'
    with peer(answer) as system:
        await ask(source(system.url, auth, kind="jsonrpc", call="{path: /rc, method: export, params: [7]}", more=more))
    assert [call.body["params"] for call in system.calls if call.body["method"] == "export"] == [["old", 7], ["new", 7]]


async def test_limesurvey_that_knows_nobody_of_that_name_is_not_asked_again() -> None:
    auth = '{type: limesurvey_session, login: "${env:LOGIN}", password: "${env:KEY}"}'
    with peer(lambda _call: Reply({"result": {"status": "Invalid user name or password"}})) as system:
        with pytest.raises(ReplyError) as refused:
            await ask(source(system.url, auth, kind="jsonrpc", call="{path: /rc, method: export, params: [7]}"))
        assert (refused.value.code, len(system.calls)) == ("auth_failed", 1)


@pytest.mark.parametrize(
    ("how", "query", "body"),
    [
        ("method: GET", {"app": "a1", "secret": "k3y"}, ""),
        ("form: true", {}, "app=a1&secret=k3y"),
    ],
    ids=["query", "form"],
)
async def test_a_token_is_asked_for_by_query_or_form_and_sent_in_a_header(
    how: str, query: dict[str, str], body: str
) -> None:
    auth = (
        f'{{type: token_exchange, {how}, url: /token, body: {{app: a1, secret: "${{env:KEY}}"}}, name: T, prefix: ""}}'
    )
    with peer(lambda _call: Reply({"access_token": "t1"})) as system:
        await ask(source(system.url, auth))
    assert (system.calls[0].query, system.calls[0].body) == (query, body)
    assert system.calls[1].headers["T"] == "t1"


async def test_a_key_alone_is_the_login() -> None:
    with peer(lambda _call: Reply([])) as system:
        await ask(source(system.url, '{type: basic, api_key: "${env:KEY}"}'))
    assert system.calls[0].headers["Authorization"] == "Basic " + base64.b64encode(b"k3y:X").decode()


async def test_tryton_is_logged_in_to_and_asked_by_domain() -> None:
    def answer(call: Call) -> Reply:
        if call.body["method"] == "common.db.login":
            assert call.body["params"] == ["ann", {"password": "k3y"}]
            return Reply({"id": 0, "result": [7, "s3ss10n"]})
        return Reply({"id": 1, "result": []})

    call = "{path: /erp/rpc/, method: model.party.party.search_read, fields: [id], domain: [[active, '=', true]]}"
    more = "dialect: tryton\nok: {path: error, absent: true}"
    with peer(answer) as system:
        made = source(
            system.url,
            '{type: tryton_session, login: "${env:LOGIN}", password: "${env:KEY}"}',
            kind="jsonrpc",
            call=call,
            more=more,
        )
        stream = made.streams[0].model_copy(update={"rows": ("result",)})
        async with opened(made, SECRETS) as at:
            await at.asks(stream)({"after": 5})
    asked = system.calls[1]
    assert asked.headers["Authorization"] == "Session " + base64.b64encode(b"ann:7:s3ss10n").decode()
    assert asked.body["params"][0] == [["active", "=", True], ["id", ">", 5]]
    assert [call.body.keys() for call in system.calls] == [{"id", "method", "params"}] * 2, "else no envelope comes"


async def test_whoever_is_refused_does_not_try_again() -> None:
    with peer(lambda _call: Reply(status=401)) as system:
        with pytest.raises(ReplyError) as refused:
            await ask(source(system.url, '{type: bearer, token: "${env:KEY}"}'))
        assert (refused.value.code, len(system.calls)) == ("auth_failed", 1)


# --- secrets --------------------------------------------------------------------------------------------------------


def test_a_secret_is_a_file_that_nobody_else_may_read(tmp_path: Path) -> None:
    secrets = Secrets(tmp_path, environ={})
    with pytest.raises(ConfigError, match="secret erp: expected a file of that name"):
        secrets.fill("${secret:erp}")
    (tmp_path / "erp").write_text("top\n")
    (tmp_path / "erp").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        secrets.fill("${secret:erp}")
    (tmp_path / "erp").chmod(0o600)
    assert secrets.fill("${secret:erp}") == "top"
    assert secrets.mask("stop it") == "s*** it"
    with pytest.raises(ConfigError, match="environment variable NOPE is not set"):
        secrets.fill("${env:NOPE}")


# --- where calls may go ---------------------------------------------------------------------------------------------

PLACES: list[tuple[str, str, tuple[str, ...], bool]] = [
    ("api.example.com", "93.184.216.34", (), True),
    ("api.example.com", "10.0.0.5", (), False),  # a public name that leads into the house
    ("api.example.com", "127.0.0.1", (), False),
    ("api.example.com", "::ffff:10.0.0.5", (), False),
    ("erp.corp", "10.0.0.5", ("erp.corp",), True),
    ("10.0.0.5", "10.0.0.5", (), True),
    ("localhost", "127.0.0.1", (), True),
    ("169.254.169.254", "169.254.169.254", (), False),  # where clouds keep their keys
    ("erp.corp", "169.254.169.254", ("erp.corp",), False),
    ("erp.corp", "fe80::1", ("erp.corp",), False),
    ("0.0.0.0", "0.0.0.0", (), False),  # noqa: S104
    ("224.0.0.1", "224.0.0.1", (), False),
]


@pytest.mark.parametrize(("host", "address", "lan", "may"), PLACES)
def test_sec31_ssrf_addresses(host: str, address: str, lan: tuple[str, ...], may: bool) -> None:
    assert may_call(host, ipaddress.ip_address(address), lan) is may


async def test_sec31_ssrf_redirects_are_not_followed_and_foreign_hosts_not_called() -> None:
    with peer(lambda _call: Reply([])) as stranger:
        with peer(lambda _call: Reply(status=307, headers={"Location": stranger.url})) as system:
            made = source(system.url, '{type: bearer, token: "${env:KEY}"}')
            with pytest.raises(ReplyError) as refused:
                await ask(made)
            assert refused.value.code == "redirected"
            client = Client(made, SECRETS)
            with pytest.raises(ReplyError) as refused:
                await client.send(Request(f"{stranger.url}/steal"))
            await client.close()
            assert refused.value.code == "foreign_host"
        assert stranger.calls == []


async def test_sec31_ssrf_the_address_that_was_checked_is_the_one_that_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DNS rebinding: the name leads elsewhere at a second look, so there is none."""
    looked: list[Any] = []
    with peer(lambda _call: Reply([])) as system:
        port = system.url.rpartition(":")[2]
        made = source(f"http://erp.corp:{port}", "{type: none}", more="lan_hosts: [erp.corp]")
        client = Client(made, SECRETS)

        async def getaddrinfo(host: str, *_: Any, **__: Any) -> list[Any]:
            looked.append(host)
            return [(2, 1, 6, "", ("127.0.0.1" if len(looked) == 1 else "203.0.113.9", int(port)))]

        import asyncio

        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
        answer = await client.send(Request("/rows"))
        await client.close()
    assert json.loads(answer.body) == []
    assert looked == ["erp.corp"]
    assert system.calls[0].headers["Host"] == f"erp.corp:{port}"
