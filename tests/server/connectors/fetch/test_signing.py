"""Who asks, and where: sign-in of each kind against a real server, and the guard over addresses (SEC-31)."""

import base64
import ipaddress
import json
from pathlib import Path
from typing import Any

import pytest

from server.connectors.errors import ReplyError
from server.connectors.fetch.client import Client, Request, may_call
from server.connectors.fetch.opening import opened
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import Source, read_source
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
