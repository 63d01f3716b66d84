"""The MQTT broker of a depot, to which readers and devices that somebody built publish; no passwords, loopback only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiomqtt

from muster.stage.installation import HOST

ANSWER_S = 2.0
LOOK_S = 0.1


class DepotBroker:
    """amqtt, as it comes."""

    def __init__(self, port: int) -> None:
        from amqtt.broker import Broker
        from amqtt.contexts import BrokerConfig, ListenerConfig

        from server.fleet.embedded_broker import quieten_amqtt

        quieten_amqtt()
        anyone = {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}}
        listener = ListenerConfig(bind=f"{HOST}:{port}")
        self._broker = Broker(BrokerConfig(listeners={"default": listener}, plugins=anyone))

    async def start(self) -> None:
        """Listen."""
        await self._broker.start()

    async def stop(self) -> None:
        """Close the port."""
        await self._broker.shutdown()


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[aiomqtt.Client]:
    """A client of that broker."""
    async with aiomqtt.Client(HOST, port, protocol=aiomqtt.ProtocolVersion.V311) as client:
        yield client


async def publish_until_answered(port: int, topic: str, answers: str, message: bytes) -> None:
    """Publish, and again each ANSWER_S, until something comes on the topic of answers."""
    async with connected(port) as client:
        await client.subscribe(answers, qos=1)
        while True:
            await client.publish(topic, message, qos=1)
            try:
                async with asyncio.timeout(ANSWER_S):
                    await anext(client.messages)
            except TimeoutError:
                continue
            return
