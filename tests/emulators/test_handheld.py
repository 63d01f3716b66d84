"""The emulated handheld forgets a scan only after a 200, and signs as the format says."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta, timezone

import pytest

from emulators.handheld import Handheld

KEY = "sixteen-random-characters"
AT = datetime(2026, 11, 23, 8, 59, 1, tzinfo=timezone(timedelta(hours=8)))


class Endpoint:
    """Notes requests and answers with the next status."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.requests: list[tuple[str, str, bytes]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        body = await reader.readexactly(int(headers["content-length"]))
        self.requests.append((lines[0], headers["x-muster-signature"], body))
        writer.write(f"HTTP/1.1 {self.statuses.pop(0)} X\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    one = Endpoint()
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    yield one
    server.close()


async def test_scans_are_kept_until_they_are_stored_and_never_renumbered(endpoint: Endpoint) -> None:
    handheld = Handheld("PDA-17", KEY)
    endpoint.statuses = [503, 200, 200]
    handheld.scan("YT1234567890123", AT, kind="delivered")
    for status in (503, 200):
        assert await asyncio.to_thread(handheld.post, "127.0.0.1", endpoint.port) == status
    handheld.scan("JT1", AT)
    await asyncio.to_thread(handheld.post, "127.0.0.1", endpoint.port)
    sent = [json.loads(body)["scans"] for _, _, body in endpoint.requests]
    first = {"seq": 1, "code": "YT1234567890123", "at": "2026-11-23T08:59:01+08:00", "kind": "delivered"}
    assert sent == [[first], [first], [{"seq": 2, "code": "JT1", "at": "2026-11-23T08:59:01+08:00"}]]
    assert handheld.emitted == 2


async def test_an_answer_that_is_lost_makes_it_send_the_same_again(endpoint: Endpoint) -> None:
    handheld = Handheld("PDA-17", KEY)
    endpoint.statuses = [200, 200]
    handheld.scan("YT1", AT)
    await asyncio.to_thread(handheld.post, "127.0.0.1", endpoint.port, keep=True)
    await asyncio.to_thread(handheld.post, "127.0.0.1", endpoint.port)
    assert endpoint.requests[0] == endpoint.requests[1]
    assert handheld.waiting == []


async def test_the_signature_covers_name_and_body(endpoint: Endpoint) -> None:
    handheld = Handheld("PDA-17", KEY)
    endpoint.statuses = [200]
    handheld.scan("YT1", AT)
    await asyncio.to_thread(handheld.post, "127.0.0.1", endpoint.port)
    line, signature, body = endpoint.requests[0]
    assert line == "POST /scans/PDA-17 HTTP/1.1"
    assert signature == "sha256=" + hmac.new(KEY.encode(), b"PDA-17\n" + body, hashlib.sha256).hexdigest()
