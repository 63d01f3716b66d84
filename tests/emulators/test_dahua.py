"""The emulated Dahua terminal, asked by a client that knows nothing of us, as the protocol page says it answers."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import httpx
import pytest

from emulators.dahua import DahuaTerminal

AT = datetime(2026, 11, 23, 8, 59, 1)
FIND = "/cgi-bin/recordFinder.cgi?action=find&name=AccessControlCardRec"


@pytest.fixture
async def device() -> AsyncIterator[DahuaTerminal]:
    device = DahuaTerminal(wall=lambda: AT)
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def client(device: DahuaTerminal) -> AsyncIterator[httpx.AsyncClient]:
    auth = httpx.DigestAuth("admin", "Muster-1234")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=auth, trust_env=False) as client:
        yield client


async def test_the_worked_example_is_answered(device: DahuaTerminal, client: httpx.AsyncClient) -> None:
    device.punch("1000", AT)
    lines = (await client.get(f"{FIND}&StartTime=1795395000&EndTime=1795482000")).text.split("\r\n")
    assert lines[0] == "found=1"
    expected = {"RecNo=8801", "UserID=1000", "CardNo=", "CreateTime=1795395541", "Method=15", "Type=Entry", "Status=1"}
    assert {f"records[0].{one}" for one in expected} <= set(lines)


async def test_the_habits_of_firmware_can_be_chosen(device: DahuaTerminal, client: httpx.AsyncClient) -> None:
    device.array, device.newline, device.missing = "Records", "\n", frozenset({"Method"})
    device.local_time = device.real_utc = True
    device.punch("1000", AT)
    text = (await client.get(FIND)).text
    assert "\r" not in text
    assert "Method" not in text
    assert f"Records[0].CreateTime={1795395541 + 28_800}\n" in text
    assert "Records[0].CreateTimeRealUTC=1795395541\n" in text


async def test_a_page_ends_before_the_search_does(device: DahuaTerminal, client: httpx.AsyncClient) -> None:
    device.page_size, device.tells_total = 10, True
    for n in range(25):
        device.punch(str(n), AT + timedelta(seconds=n))
    text = (await client.get(FIND)).text
    assert "found=25" in text
    assert text.count(".RecNo=") == 10


async def test_a_handle_serves_the_log_page_by_page(device: DahuaTerminal, client: httpx.AsyncClient) -> None:
    for n in range(3):
        device.punch(str(n), AT)
    base = "/cgi-bin/recordFinder.cgi?action="
    handle = (await client.get(f"{base}factory.create&name=AccessControlCardRec")).text.strip().removeprefix("result=")
    assert (await client.get(f"{base}startFind&object={handle}")).text == "OK\r\n"
    found = [(await client.get(f"{base}doFind&object={handle}&count=2")).text.split("\r\n")[0] for _ in range(3)]
    assert found == ["found=2", "found=1", "found=0"]
    for action in ("close", "destroy"):
        assert (await client.get(f"{base}{action}&object={handle}")).text == "OK\r\n"


@pytest.mark.parametrize(
    ("asked", "status", "text"),
    [
        ("global.cgi?action=getCurrentTime", 200, "result=2026-11-23 08:59:01\r\n"),
        ("global.cgi?action=setCurrentTime&time=2026-11-23%2009:00:00", 200, "OK\r\n"),
        ("magicBox.cgi?action=getSerialNo", 200, "sn=6G0ABCDPAJ00001\r\n"),
        ("recordFinder.cgi?action=getQuerySize&name=AccessControlCardRec", 200, "count=0\r\n"),
        ("recordFinder.cgi?action=find&name=Nothing", 400, "Error\r\nBad Request!\r\n"),
        ("unknown.cgi?action=x", 501, "Error\r\nNot Implemented!\r\n"),
    ],
)
async def test_calls_are_answered_as_listed(client: httpx.AsyncClient, asked: str, status: int, text: str) -> None:
    answer = await client.get(f"/cgi-bin/{asked}")
    assert (answer.status_code, answer.text) == (status, text)


async def test_the_realm_names_the_serial_and_wrong_passwords_lock(device: DahuaTerminal) -> None:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", trust_env=False) as client:
        refused = await client.get(FIND)
        assert (refused.status_code, 'realm="Login to 6G0ABCDPAJ00001"' in refused.headers["www-authenticate"]) == (
            401,
            True,
        )
        for _ in range(5):
            await client.get(FIND, auth=httpx.DigestAuth("admin", "wrong"))
        assert device.login.locked
        assert (await client.get(FIND, auth=httpx.DigestAuth("admin", "Muster-1234"))).status_code == 403


async def test_the_stream_has_heartbeats_and_events_over_several_lines(
    device: DahuaTerminal, client: httpx.AsyncClient
) -> None:
    asked = "/cgi-bin/eventManager.cgi?action=attach&codes=[AccessControl]&heartbeat=5"
    async with client.stream("GET", asked) as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=myboundary"
        heard, told = b"", False
        async for piece in answer.aiter_raw():
            heard += piece
            if b"Heartbeat" in heard and not told:
                device.punch("1000", AT)
                told = True
            if b'"UTC": 1795395541\n}' in heard:
                break
    assert b"Code=AccessControl;action=Pulse;index=0;data={\n" in heard
