"""The emulated Hikvision terminal, asked by a client that knows nothing of us, as the protocol page says it answers."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from xml.etree import ElementTree

import httpx
import pytest

from emulators.hikvision import HikvisionTerminal

AT = datetime(2026, 11, 23, 8, 59, 1)
SEARCH = "/ISAPI/AccessControl/AcsEvent?format=json"


@pytest.fixture
async def device() -> AsyncIterator[HikvisionTerminal]:
    device = HikvisionTerminal(wall=lambda: AT)
    await device.start()
    yield device
    await device.stop()


@pytest.fixture
async def client(device: HikvisionTerminal) -> AsyncIterator[httpx.AsyncClient]:
    auth = httpx.DigestAuth("admin", "Muster-1234")
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}", auth=auth, trust_env=False) as client:
        yield client


def condition(position: int = 0, **more: object) -> dict[str, object]:
    asked = {"searchID": "gw-1", "searchResultPosition": position, "maxResults": 30, "major": 5, "minor": 0}
    return {"AcsEventCond": asked | more}


async def test_pages_have_thirty_rows_in_no_order(device: HikvisionTerminal, client: httpx.AsyncClient) -> None:
    for n in range(61):
        device.punch(str(n), AT + timedelta(seconds=n))
    found: list[int] = []
    statuses = []
    for position in (0, 30, 60, 61):
        page = (await client.post(SEARCH, json=condition(position, maxResults=1000))).json()["AcsEvent"]
        rows = [row["serialNo"] for row in page.get("InfoList", [])]
        found += rows
        statuses.append((page["responseStatusStrg"], page["numOfMatches"], page["totalMatches"], page["searchID"]))
        assert position or rows != sorted(rows)
    assert sorted(found) == list(range(1, 62))
    assert statuses == [
        ("MORE", 30, 61, "gw-1"),
        ("MORE", 30, 61, "gw-1"),
        ("OK", 1, 61, "gw-1"),
        ("NO MATCH", 0, 61, "gw-1"),
    ]


async def test_a_time_filter_is_honoured_or_refused(device: HikvisionTerminal, client: httpx.AsyncClient) -> None:
    for n in range(3):
        device.punch(str(n), AT + timedelta(hours=n))
    asked = condition(startTime="2026-11-23T09:00:00+08:00", endTime="2026-11-23T23:59:59+08:00")
    assert (await client.post(SEARCH, json=asked)).json()["AcsEvent"]["totalMatches"] == 2
    device.time_filter = False
    answer = await client.post(SEARCH, json=asked)
    assert (answer.status_code, answer.json()["subStatusCode"]) == (400, "badJsonContent")


async def test_what_the_page_says_is_refused_is_refused(device: HikvisionTerminal, client: httpx.AsyncClient) -> None:
    assert (await client.get(SEARCH)).json()["subStatusCode"] == "methodNotAllowed"
    assert (await client.post(SEARCH, content=b"<AcsEventCond/>")).json()["subStatusCode"] == "badJsonFormat"
    lacking = {"AcsEventCond": {"searchID": "1", "searchResultPosition": 0, "maxResults": 1}}
    assert (await client.post(SEARCH, json=lacking)).json()["errorMsg"] == "major"
    device.busy = 1
    assert (await client.post(SEARCH, json=condition())).json()["subStatusCode"] == "deviceBusy"


async def test_device_and_clock_are_xml(device: HikvisionTerminal, client: httpx.AsyncClient) -> None:
    info = ElementTree.fromstring((await client.get("/ISAPI/System/deviceInfo")).text)  # noqa: S314  # our own emulator's
    assert {child.tag.rpartition("}")[2] for child in info} >= {
        "deviceName",
        "model",
        "serialNumber",
        "firmwareVersion",
    }
    clock = (await client.get("/ISAPI/System/time")).text
    assert "<localTime>2026-11-23T08:59:01+08:00</localTime><timeZone>CST-8:00:00</timeZone>" in clock


async def test_a_factory_reset_counts_from_one(device: HikvisionTerminal) -> None:
    device.punch("1", AT)
    device.factory_reset()
    assert device.punch("2", AT)["serialNo"] == 1
    assert device.emitted == 1


async def test_a_pushed_event_is_the_one_of_the_page(device: HikvisionTerminal) -> None:
    said = json.loads(device.report(device.punch("1000", AT, attendance="checkIn")))
    event = said["AccessControllerEvent"]
    assert said["eventType"] == "AccessControllerEvent"
    assert said["dateTime"] == "2026-11-23T08:59:01+08:00"
    assert (event["majorEventType"], event["subEventType"], event["employeeNoString"]) == (5, 75, "1000")
    assert (event["serialNo"], event["frontSerialNo"], event["currentEvent"]) == (1, 0, True)


async def test_the_stream_tells_events_and_keeps_alive(device: HikvisionTerminal, client: httpx.AsyncClient) -> None:
    async with client.stream("GET", "/ISAPI/Event/notification/alertStream") as answer:
        assert answer.headers["content-type"] == "multipart/mixed; boundary=MIME_boundary"
        heard = b""
        told = False
        async for piece in answer.aiter_raw():
            heard += piece
            if b"heartBeat" in heard and not told:
                device.punch("1000", AT)
                told = True
            if b'"employeeNoString": "1000"' in heard:
                break
