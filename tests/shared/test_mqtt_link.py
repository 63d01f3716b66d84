"""A connection that is given up is closed at once, as the broker sees it."""

import asyncio

import aiomqtt
import pytest

from shared.mqtt_link import linked

SOON_S = 10


class SilentBroker:
    """Takes connections and never says a word."""

    def __init__(self) -> None:
        self.asked, self.left = asyncio.Event(), asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        self.asked.set()
        await reader.read()
        self.left.set()
        writer.close()
        await writer.wait_closed()


async def link(port: int, timeout_s: float) -> None:
    async with linked(aiomqtt.Client("127.0.0.1", port, timeout=timeout_s)):
        raise AssertionError("nobody answered")


async def test_a_broker_that_does_not_answer_in_time_is_left() -> None:
    broker = SilentBroker()
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server, asyncio.timeout(SOON_S):
        with pytest.raises(aiomqtt.MqttError):
            await link(server.sockets[0].getsockname()[1], 0.1)
        await broker.left.wait()


async def test_a_broker_is_left_when_the_link_is_cancelled_before_it_answers() -> None:
    broker = SilentBroker()
    async with await asyncio.start_server(broker.serve, "127.0.0.1", 0) as server, asyncio.timeout(SOON_S):
        task = asyncio.create_task(link(server.sockets[0].getsockname()[1], SOON_S))
        await broker.asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await broker.left.wait()
