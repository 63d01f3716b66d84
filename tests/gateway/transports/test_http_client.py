"""What a driver sees of a terminal's web server, good and bad."""

import asyncio
import shutil
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emulators.digest_http import DigestLogin, Request, Response, TerminalWeb
from gateway.config import TerminalConfig
from gateway.transports.http_client import Account, HttpClient, RefusedError, base_url, read_account
from shared.errors import ConfigError, DataError, RetryableError
from tests.support.loopback import free_port

ADMIN = Account("admin", "Muster-1234")


class Web(TerminalWeb):
    async def respond(self, request: Request) -> Response:
        size = int(request.query.get("size", "5"))
        return Response(body=b"x" * size)


@asynccontextmanager
async def web(login: DigestLogin | None = None) -> AsyncIterator[Web]:
    found = Web(login or DigestLogin())
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


def client(port: int, account: Account | None = ADMIN, timeout_s: float = 1.0) -> HttpClient:
    return HttpClient(f"http://127.0.0.1:{port}", account, timeout_s=timeout_s)


async def test_a_wrong_password_is_said_once_and_never_again() -> None:
    async with web() as device, client(device.port, Account("admin", "wrong-secret")) as http:
        with pytest.raises(RefusedError) as caught:
            await http.get("/ISAPI/x")
    assert device.login.wrong == 1
    assert "wrong-secret" not in str(caught.value)
    assert "key_file" in str(caught.value)


async def test_an_expired_nonce_is_no_refusal() -> None:
    async with web(DigestLogin(nonce_uses=1)) as device, client(device.port) as http:
        for _ in range(5):
            assert (await http.get("/ISAPI/x")).status == 200
    assert device.login.wrong == 0
    assert device.login.stale_sent >= 4


async def test_a_nonce_that_is_never_fresh_enough_is_no_refusal_either() -> None:
    async with web(DigestLogin(nonce_uses=0)) as device, client(device.port) as http:
        with pytest.raises(RetryableError, match="out of date"):
            await http.get("/ISAPI/x")
    assert device.login.wrong == 0


async def test_no_password_goes_to_a_terminal_that_asks_for_it_in_clear() -> None:
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b'HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm="x"\r\nContent-Length: 0\r\n\r\n')
        await writer.drain()
        writer.close()

    async with scripted(serve) as port, client(port) as http:
        with pytest.raises(RefusedError, match="'basic'"):
            await http.get("/x")
    assert b"uthorization" not in b"".join(seen)


async def test_a_body_beyond_the_limit_is_not_read_to_its_end() -> None:
    async with web() as device, client(device.port) as http:
        assert len((await http.get("/ISAPI/x?size=1000", limit=1000)).body) == 1000
        with pytest.raises(DataError, match="larger than 1000"):
            await http.get("/ISAPI/x?size=1001", limit=1000)


async def test_a_slow_drip_ends_in_time() -> None:
    async with web() as device, client(device.port, timeout_s=0.3) as http:
        device.faults.append("drip")
        started = time.monotonic()
        with pytest.raises(RetryableError, match="in time"):
            await http.get("/ISAPI/x?size=1000")
        assert time.monotonic() - started < 3


@pytest.mark.parametrize("fault", ["garbage", "truncated", "reset", "deaf"])
async def test_a_broken_answer_is_worth_another_try(fault: str) -> None:
    async with web() as device, client(device.port, timeout_s=0.3) as http:
        device.faults.append(fault)  # type: ignore[arg-type]
        with pytest.raises(RetryableError):
            await http.get("/ISAPI/x?size=1000")
        assert (await http.get("/ISAPI/x")).body == b"xxxxx"


async def test_nobody_there_is_worth_another_try() -> None:
    async with client(free_port()) as http:
        with pytest.raises(RetryableError, match="ConnectError"):
            await http.get("/x")


async def test_a_redirect_is_shown_and_not_followed() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 302 Away\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with scripted(serve) as port, client(port) as http:
        assert (await http.get("/x")).status == 302


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
async def test_a_certificate_that_nobody_vouches_for_is_a_setting_to_make(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, tmp_path / "key.pem")

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async with scripted(serve, context) as port:
        async with HttpClient(f"https://127.0.0.1:{port}", ADMIN, timeout_s=5) as http:
            with pytest.raises(ConfigError, match="ca_file"):
                await http.get("/x")
        async with HttpClient(f"https://127.0.0.1:{port}", ADMIN, timeout_s=5, ca_file=certificate) as http:
            assert (await http.get("/x")).text == "hi"


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("192.168.1.64", None, "http://192.168.1.64:80"),
        ("192.168.1.64", 8080, "http://192.168.1.64:8080"),
        ("https://gate.local", None, "https://gate.local"),
        ("HTTPS://gate.local", 8443, "https://gate.local:8443"),
        ("fe80::1", None, "http://[fe80::1]:80"),
    ],
)
def test_a_host_becomes_a_url(host: str, port: int | None, url: str) -> None:
    assert base_url(TerminalConfig(name="gate", profile="x/y", host=host, port=port), 80) == url


@pytest.mark.parametrize("host", [None, "", "ftp://gate", "user:secret@gate", "gate/path", "two words"])
def test_a_host_that_is_none_is_refused(host: str | None) -> None:
    with pytest.raises(ConfigError):
        base_url(TerminalConfig(name="gate", profile="x/y", host=host), 80)


@pytest.mark.parametrize("text", ["", "admin", "admin:", ":secret-1", "admin:secret-1\nmore\n"])
def test_a_key_file_that_is_none_is_refused_without_repeating_it(tmp_path: Path, text: str) -> None:
    (tmp_path / "key").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_account(TerminalConfig(name="gate", profile="x/y", key_file=tmp_path / "key"))
    assert "secret-1" not in str(caught.value)


def test_a_password_may_hold_colons_and_never_shows(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("admin:a:b c\r\n")
    account = read_account(TerminalConfig(name="gate", profile="x/y", key_file=tmp_path / "key"))
    assert (account.user, account.password) == ("admin", "a:b c")
    assert "a:b c" not in repr(account)


Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def scripted(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def self_signed(folder: Path) -> Path:
    """A certificate as terminals make it for themselves: some name, no authority."""
    path = folder / "certificate.pem"
    made = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    ]
    files = ["-subj", "/CN=DS-K1T341AM", "-keyout", str(folder / "key.pem"), "-out", str(path)]
    subprocess.run([*made, *files], check=True, capture_output=True)
    return path
