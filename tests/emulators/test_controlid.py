"""The emulated Control iD terminal behaves as the protocol page says; the client here knows nothing of ours."""

import asyncio
from datetime import datetime, timedelta

import httpx

from emulators.controlid import ControlIdTerminal

AT = datetime(2026, 11, 23, 8, 59, 1)
QUERY = {
    "object": "access_logs",
    "where": {"access_logs": {"id": {">": 0}}},
    "order": ["ascending", "id"],
    "limit": 500,
}


async def test_a_session_is_part_of_the_address_and_expires() -> None:
    device = ControlIdTerminal(token_uses=1)
    device.punch(1000, AT)
    await device.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{device.port}") as client:
            refused = await client.post("/login.fcgi", json={"login": "admin", "password": "no"})
            token = (await client.post("/login.fcgi", json={"login": "admin", "password": "Muster-1234"})).json()
            first = await client.post("/load_objects.fcgi", params=token, json=QUERY)
            second = await client.post("/load_objects.fcgi", params=token, json=QUERY)
    finally:
        await device.stop()
    assert [answer.status_code for answer in (refused, first, second)] == [401, 200, 401]
    assert "error" in second.json()
    (row,) = first.json()["access_logs"]
    assert (row["id"], row["time"], row["event"], row["user_id"]) == (1, 1795424341, 7, 1000)


async def test_the_monitor_posts_text_once_and_never_again() -> None:
    heard: list[bytes] = []

    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        heard.append(head.split(b"\r\n")[0] + await reader.readexactly(length))
        writer.write(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(server, "127.0.0.1", 0)
    device = ControlIdTerminal(monitor=("127.0.0.1", listener.sockets[0].getsockname()[1], "api/notifications"))
    device.lost_posts = 1
    await device.start()
    device.punch(1, AT)
    device.punch(1, AT + timedelta(seconds=1))
    async with asyncio.timeout(5):
        while not device.posts:  # noqa: ASYNC110  # the emulator tells nobody
            await asyncio.sleep(0.005)
    await device.stop()
    listener.close()
    assert device.posts == [500]
    assert len(heard) == 1
    assert heard[0].startswith(b"POST /api/notifications/dao HTTP/1.1")
    assert b'"time": "1795424342"' in heard[0]
