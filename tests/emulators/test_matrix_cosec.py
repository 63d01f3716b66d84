"""The emulated COSEC terminal answers an independent client as the protocol page says."""

import re
from datetime import datetime

import httpx
import pytest

from emulators.digest_http import DigestLogin
from emulators.matrix_cosec import MatrixTerminal

AT = datetime(2026, 11, 23, 8, 59, 1)


@pytest.mark.parametrize("digest", [True, False])
async def test_a_count_and_events_after_a_login(digest: bool) -> None:
    device = MatrixTerminal(login=DigestLogin(realm="COSEC") if digest else None)
    device.start_at(2, 76)
    device.punch("1000", AT)
    device.event(102, "9", AT)
    await device.start()
    auth = (httpx.DigestAuth if digest else httpx.BasicAuth)("admin", "Muster-1234")
    base = f"http://127.0.0.1:{device.port}/device.cgi"
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{base}/command?action=geteventcount")).status_code == 401
        count = (await client.get(f"{base}/command?action=geteventcount&format=xml", auth=auth)).text
        assert "<roll-over-count>2</roll-over-count><seq-number>78</seq-number>" in count
        url = f"{base}/events?action=getevent&roll-over-count=2&seq-number=77&no-of-events=100&format=xml"
        events = (await client.get(url, auth=auth)).text
        assert re.findall(r"<(seq-No|date|time|event-id|user-id)>(\w+)<", events)[:5] == [
            ("seq-No", "77"),
            ("date", "23112026"),
            ("time", "085901"),
            ("event-id", "101"),
            ("user-id", "1000"),
        ]
        none = (await client.get(url.replace("seq-number=77", "seq-number=79"), auth=auth)).text
        assert "<Response-Code>10</Response-Code>" in none
    await device.stop()


async def test_wrong_passwords_lock_the_account() -> None:
    device = MatrixTerminal()
    await device.start()
    url = f"http://127.0.0.1:{device.port}/device.cgi/command?action=geteventcount"
    async with httpx.AsyncClient() as client:
        for _ in range(5):
            assert (await client.get(url, auth=("admin", "wrong"))).status_code == 401
        assert (await client.get(url, auth=("admin", "Muster-1234"))).status_code == 401
    await device.stop()


def test_a_ring_rolls_over_and_forgets() -> None:
    device = MatrixTerminal(roll_at=3, keep=4)
    for n in range(5):
        device.punch(str(n), AT)
    assert [(event.roll_over, event.seq, event.user) for event in device.log] == [
        (0, 2, "1"),
        (0, 3, "2"),
        (1, 1, "3"),
        (1, 2, "4"),
    ]
