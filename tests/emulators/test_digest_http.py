"""The digest login of emulated terminals, judged by RFC 2617 and by clients that know nothing of us."""

import asyncio
import shutil

import httpx
import pytest

from emulators.digest_http import DigestLogin
from emulators.hikvision import HikvisionTerminal

PATH = "/ISAPI/System/deviceInfo"


def rfc_header(response: str, nc: str = "00000001") -> str:
    return (
        'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
        f'uri="/dir/index.html", qop=auth, nc={nc}, cnonce="0a4f113b", response="{response}", opaque="5ccc"'
    )


def test_the_example_of_the_standard_is_taken_once_and_its_replay_is_stale() -> None:
    login = DigestLogin("Mufasa", "Circle Of Life", "testrealm@host.com")
    login._nonces["dcd98b7102dd2f0e8b11d0f600bfb0c093"] = 0
    header = rfc_header("6629fae49393a05397450978507c4ef1")
    assert login.check("GET", "/dir/index.html", header) is None
    replayed = login.check("GET", "/dir/index.html", header)
    assert replayed is not None
    assert 'stale="true"' in replayed
    assert login.wrong == 0


def test_a_wrong_response_counts_and_locks() -> None:
    login = DigestLogin("Mufasa", "Circle Of Life", "testrealm@host.com", lock_after=2)
    for _ in range(2):
        assert login.check("GET", "/dir/index.html", rfc_header("0" * 32)) is not None
    assert login.locked


async def curl(port: int, password: str, path: str = PATH) -> str:
    """Status that curl gets with --digest."""
    url = f"http://127.0.0.1:{port}{path}"
    options = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-g", "-u", f"admin:{password}", url]
    process = await asyncio.create_subprocess_exec("curl", *options, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    return out.decode()


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
@pytest.mark.parametrize("qop", [True, False])
async def test_curl_logs_in(qop: bool) -> None:
    device = HikvisionTerminal(login=DigestLogin(qop=qop))
    await device.start()
    assert await curl(device.port, "Muster-1234") == "200"
    assert await curl(device.port, "Muster-1234", PATH + "?a=[b]&c=d%20e") == "200"
    assert await curl(device.port, "wrong") == "401"
    assert device.login.wrong == 1
    await device.stop()


@pytest.mark.parametrize("qop", [True, False])
async def test_httpx_logs_in_and_follows_an_expired_nonce(qop: bool) -> None:
    device = HikvisionTerminal(login=DigestLogin(qop=qop, nonce_uses=2))
    await device.start()
    auth = httpx.DigestAuth("admin", "Muster-1234")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=auth, trust_env=False) as client:
        assert [(await client.get(PATH)).status_code for _ in range(7)] == [200] * 7
    assert device.login.wrong == 0
    assert not qop or device.login.stale_sent >= 2
    await device.stop()


async def test_basic_is_refused() -> None:
    device = HikvisionTerminal()
    await device.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", trust_env=False) as client:
        answer = await client.get(PATH, auth=("admin", "Muster-1234"))
    assert answer.status_code == 401
    await device.stop()


async def test_a_locked_account_takes_no_right_password_either() -> None:
    device = HikvisionTerminal()
    await device.start()
    for _ in range(5):
        await curl(device.port, "wrong")
    assert await curl(device.port, "Muster-1234") == "401"
    device.login.unlock()
    assert await curl(device.port, "Muster-1234") == "200"
    await device.stop()
