"""The emulated intercoms answer an independent client as the protocol page says."""

from datetime import datetime, timedelta

import httpx

from emulators.akuvox import AkuvoxTerminal
from emulators.axis import AxisController
from emulators.twon import TwonTerminal

AT = datetime(2026, 11, 23, 8, 59, 1)
UTC_S = 1_795_395_541
LOGIN = httpx.DigestAuth("admin", "Muster-1234")


async def test_akuvox_gives_pages_newest_first_and_one_row_as_an_object() -> None:
    device = AkuvoxTerminal()
    for n in range(11):
        device.punch(str(1000 + n), AT + timedelta(seconds=n))
    await device.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=LOGIN) as client:
        first = (await client.get("/api/doorlog/get", params={"page": 1})).json()
        last = (await client.get("/api/doorlog/get", params={"page": 2})).json()
    assert (first["retcode"], first["message"], first["data"]["num"]) == (0, "OK", 11)
    assert [row["Code"] for row in first["data"]["item"]] == [str(1000 + n) for n in range(10, 0, -1)]
    row = last["data"]["item"]
    assert (row["Code"], row["Date"], row["Time"], row["Type"], row["Status"]) == (
        *("1000", "20261123", "08:59:01"),
        *("4", "0"),
    )
    await device.stop()


async def test_2n_gives_each_subscription_every_event_once_and_forgets_it_at_a_restart() -> None:
    device = TwonTerminal()
    device.punch("u1", UTC_S)
    await device.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=LOGIN) as client:
        number = (await client.get("/api/log/subscribe", params={"include": "all"})).json()["result"]["id"]
        pulled = (await client.get("/api/log/pull", params={"id": number, "timeout": 0})).json()["result"]["events"]
        assert [event["event"] for event in pulled] == ["CardEntered", "UserAuthenticated"]
        assert (pulled[1]["utcTime"], pulled[1]["tzShift"]) == (UTC_S, 480)
        assert pulled[0]["params"]["session"] == pulled[1]["params"]["session"]
        again = (await client.get("/api/log/pull", params={"id": number, "timeout": 0})).json()
        assert again == {"success": True, "result": {"events": []}}
        device.restart()
        gone = (await client.get("/api/log/pull", params={"id": number, "timeout": 0})).json()
        assert (gone["success"], gone["error"]["code"]) == (False, 12)
    await device.stop()


async def test_axis_goes_on_after_a_row() -> None:
    device = AxisController(limit=2)
    for n in range(3):
        device.punch(f"u{n}", UTC_S + n)
    device.punch("u9", UTC_S, topic="Denied")
    await device.start()
    asked: dict[str, object] = {"Limit": 1000, "Descending": False}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=LOGIN) as client:
        first = (await client.post("/vapix/eventlogger", json={"axlog:FetchEvents3": asked})).json()
        rest = (await client.post("/vapix/eventlogger", json={"axlog:FetchEvents3": asked | {"RowID": 2}})).json()
    assert ([row["rowid"] for row in first["Event"]], first["MoreToFetch"]) == ([1, 2], True)
    assert ([row["rowid"] for row in rest["Event"]], rest["MoreToFetch"]) == ([3], False)
    await device.stop()
