"""A reply that never ends is given up, though no piece of it is late."""

import asyncio
import contextlib

import pytest

from server.connectors.errors import ReplyError
from server.connectors.fetch.client import Client, Request
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import read_source

SOURCE = """
source: slow
kind: http_json
base_url: http://127.0.0.1:{port}
limits: {{timeout_s: 0.05}}
streams:
  - fact: audience_day
    call: {{path: /days}}
    key: id
    map: {{platform: platform, stat_date: day}}
"""


async def test_a_body_that_drips_is_given_up() -> None:
    ended = asyncio.Event()

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Client(read_source(SOURCE.format(port=port), "slow"), Secrets())
    try:
        with pytest.raises(ReplyError) as caught:
            async with asyncio.timeout(5):
                await client.send(Request("/days"))
    finally:
        await client.close()
        server.close()
        await asyncio.wait_for(ended.wait(), 5)
    assert (caught.value.code, caught.value.retry) == ("timeout", True)
