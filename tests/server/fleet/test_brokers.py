"""What real brokers let through with our accounts and rules: delivered messages count, not acknowledgements."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import aiomqtt
import pytest

from server.fleet.passwords import hash_password
from server.fleet.topic_rules import Act, acl_file, may, password_file

if TYPE_CHECKING:
    from tests.server.fleet.conftest import RunningBroker, Start

A, B, C, S1, S2 = "gw-aaaaaaaaaa", "gw-bbbbbbbbbb", "gw-cccccccccc", "server-1", "server-2"
TOO_MUCH = ("#", "+/+/+/+", "gw/#", "gw/+/up/#", "gw/+/down/#", f"gw/{A}/#", f"gw/{B}/#", "$SYS/#")


class Ear:
    """Collects what is delivered to a client."""

    def __init__(self, client: aiomqtt.Client) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self._client = client
        self._news = asyncio.Condition()

    async def listen(self) -> None:
        async for message in self._client.messages:
            async with self._news:
                self.heard.append((str(message.topic), bytes(message.payload)))
                self._news.notify_all()

    async def until(self, payload: bytes) -> None:
        """Wait until that payload came."""
        async with asyncio.timeout(10), self._news:
            await self._news.wait_for(lambda: any(body == payload for _, body in self.heard))


@asynccontextmanager
async def listening(
    broker: "RunningBroker", user: str, filters: Iterable[str]
) -> AsyncIterator[tuple[aiomqtt.Client, Ear]]:
    """A connected client that has asked for all the filters, whatever the broker answered."""
    async with broker.client(user) as client:
        ear = Ear(client)
        task = asyncio.create_task(ear.listen())
        for wanted in filters:
            await client.subscribe(wanted, qos=1)
        try:
            yield client, ear
        finally:
            task.cancel()


async def ended(client: aiomqtt.Client) -> None:
    """Wait until the broker ended that client's connection."""
    async with asyncio.timeout(10):
        with pytest.raises(aiomqtt.MqttError):
            async for _ in client.messages:
                pass


async def settle(server: aiomqtt.Client, ears: dict[str, Ear]) -> None:
    """Two messages after another to each listener: all that was published before has arrived when both are there."""
    for mark in (b"mark 1", b"mark 2"):
        for user, ear in ears.items():
            await server.publish(f"gw/{user}/down/mark", mark, qos=1)
            await ear.until(mark)


async def test_both_brokers_deliver_what_the_rule_function_allows(
    start_broker: "Start", everybody: dict[str, str]
) -> None:
    """Random topics, every pair of users: delivered if and only if one may publish and the other may receive."""
    pick = random.Random(20261124)
    levels = ["gw", "gw", A, B, S1, S2, "up", "down", "ev", "ack", "x"]
    topics = {"/".join(pick.choices(levels, k=pick.randint(1, 5))) for _ in range(40)}
    topics |= {
        f"gw/{user}/{way}/{kind}" for user in everybody for way in ("up", "down", "side") for kind in ("ev", "ack")
    }
    async with start_broker(everybody) as broker, AsyncExitStack() as stack:
        connected = {
            user: await stack.enter_async_context(listening(broker, user, (*TOO_MUCH, f"gw/{user}/down/#")))
            for user in everybody
        }
        ears = {user: ear for user, (_, ear) in connected.items()}
        for user, (client, _) in connected.items():
            for topic in topics:
                await client.publish(topic, user.encode(), qos=1)
        await settle(connected[S1][0], ears)
        for receiver, ear in ears.items():
            got = {
                (topic, body.decode()) for topic, body in ear.heard if not body.startswith(b"mark") and topic[0] != "$"
            }
            allowed = {
                (topic, sender)
                for sender in everybody
                for topic in topics
                if may(sender, Act.PUBLISH, topic) and may(receiver, Act.RECEIVE, topic)
            }
            assert got == allowed, receiver


async def test_sec05_topic_isolation(start_broker: "Start", everybody: dict[str, str]) -> None:
    """A gateway can not publish, subscribe, leave a will, retain or answer as another."""
    async with start_broker(everybody) as broker, AsyncExitStack() as stack:
        server, server_ear = await stack.enter_async_context(listening(broker, S1, ["gw/+/up/#", f"gw/{S1}/down/#"]))
        _, victim = await stack.enter_async_context(listening(broker, B, [f"gw/{B}/down/#"]))
        thief, thief_ear = await stack.enter_async_context(listening(broker, A, (*TOO_MUCH, f"gw/{A}/down/#")))
        for topic in (f"gw/{B}/up/ev", f"gw/{B}/down/ack", f"gw/{B}/up/hello"):
            for retain in (False, True):
                await thief.publish(topic, b"forged", qos=1, retain=retain)
        await server.publish(f"gw/{B}/down/ack", b"for the victim", qos=1)
        await _die_with_will(broker, f"gw/{B}/up/ev", "forged")
        await settle(server, {S1: server_ear, B: victim, A: thief_ear})
        assert b"forged" not in {body for ear in (server_ear, victim, thief_ear) for _, body in ear.heard}
        assert b"for the victim" in {body for _, body in victim.heard}
        assert b"for the victim" not in {body for _, body in thief_ear.heard}
        late, late_ear = await stack.enter_async_context(listening(broker, S2, ["gw/+/up/#", f"gw/{S2}/down/#"]))
        await settle(late, {S2: late_ear})
        assert {body for _, body in late_ear.heard} == {b"mark 1", b"mark 2"}, "nothing was retained"


async def _die_with_will(broker: "RunningBroker", topic: str, message: str) -> None:
    """Connect as gateway C with a retained will and die without DISCONNECT; a broker may also refuse."""

    def text(value: str) -> bytes:
        return len(value).to_bytes(2, "big") + value.encode()

    user_password_retained_qos1_will_clean = 0b1110_1110
    body = text("MQTT") + bytes([4, user_password_retained_qos1_will_clean, 0, 60])
    body += b"".join(map(text, (C, topic, message, C, broker.passwords[C])))
    assert len(body) < 128, "one byte of remaining length"
    reader, writer = await asyncio.open_connection("127.0.0.1", broker.port)
    writer.write(bytes([0x10, len(body)]) + body)
    assert (await reader.readexactly(4))[:2] == b"\x20\x02", "CONNACK"
    writer.transport.abort()


@pytest.mark.parametrize(
    ("user", "password"), [(A, "wrong"), (A, ""), ("gw-dddddddddd", "x"), ("server-9", "x"), ("admin", "admin")]
)
async def test_a_wrong_password_or_unknown_user_is_refused(
    start_broker: "Start", everybody: dict[str, str], user: str, password: str
) -> None:
    async with start_broker(everybody) as broker:
        with pytest.raises(aiomqtt.MqttError):
            async with broker.client(user, password=password):
                pass


async def test_sec06_clientid_takeover(start_broker: "Start", everybody: dict[str, str]) -> None:
    """Neither another account nor a wrong password ends a session by its client id."""
    async with start_broker(everybody) as broker, AsyncExitStack() as stack:
        _, victim = await stack.enter_async_context(listening(broker, A, [f"gw/{A}/down/#"]))
        for user, password in ((B, broker.passwords[B]), (A, "wrong"), ("gw-dddddddddd", "x")):
            try:
                async with broker.client(user, password=password, identifier=A):
                    pass
            except aiomqtt.MqttError:
                continue  # refused, or let in under its own name: both are fine
        server = await stack.enter_async_context(broker.client(S1))
        await server.publish(f"gw/{A}/down/ack", b"still here", qos=1)
        await victim.until(b"still here")


async def test_the_same_account_twice_leaves_the_newer_session(
    start_broker: "Start", everybody: dict[str, str]
) -> None:
    """A gateway that lost its link comes back before the broker noticed."""
    async with start_broker(everybody) as broker, AsyncExitStack() as stack:
        old = broker.client(A)
        await old.__aenter__()
        _, ear = await stack.enter_async_context(listening(broker, A, [f"gw/{A}/down/#"]))
        server = await stack.enter_async_context(broker.client(S1))
        await server.publish(f"gw/{A}/down/ack", b"to the newer", qos=1)
        await ear.until(b"to the newer")
        await ended(old)


async def test_revocation_cuts_a_live_session_on_mosquitto(start_mosquitto: "Start", everybody: dict[str, str]) -> None:
    """New ACL and password files and SIGHUP, as `broker acl --reload` does."""
    async with start_mosquitto(everybody) as broker, AsyncExitStack() as stack:
        _, heard = await stack.enter_async_context(listening(broker, S1, ["gw/+/up/#"]))
        client = await stack.enter_async_context(broker.client(B))
        revoked = broker.client(A)
        await revoked.__aenter__()
        await revoked.publish(f"gw/{A}/up/ev", b"before", qos=1)
        await heard.until(b"before")
        (broker.folder / "acl").write_text(acl_file([S1, S2], [A]))
        rest = {user: hash_password(secret) for user, secret in everybody.items() if user != A}
        (broker.folder / "passwords").write_text(password_file(rest.items()))
        broker.reload()
        await ended(revoked)
        with pytest.raises(aiomqtt.MqttError):
            await broker.client(A).__aenter__()
        await client.publish(f"gw/{B}/up/ev", b"others go on", qos=1)
        await heard.until(b"others go on")


async def test_revocation_silences_a_live_session_on_the_embedded_broker(
    start_amqtt: "Start", everybody: dict[str, str]
) -> None:
    async with start_amqtt(everybody) as broker, AsyncExitStack() as stack:
        server, heard = await stack.enter_async_context(listening(broker, S1, ["gw/+/up/#", f"gw/{S1}/down/#"]))
        client, ear = await stack.enter_async_context(listening(broker, A, [f"gw/{A}/down/#"]))
        await client.publish(f"gw/{A}/up/ev", b"before", qos=1)
        await heard.until(b"before")
        broker.revoked.add(A)
        await client.publish(f"gw/{A}/up/ev", b"after", qos=1)
        await server.publish(f"gw/{A}/down/ack", b"secret", qos=1)
        await settle(server, {S1: heard})
        assert (f"gw/{A}/up/ev", b"after") not in heard.heard
        assert ear.heard == []
        with pytest.raises(aiomqtt.MqttError):
            await broker.client(A).__aenter__()


async def test_the_embedded_broker_refuses_mqtt5_with_code_132(start_amqtt: "Start", everybody: dict[str, str]) -> None:
    """What a client with protocol `auto` steps down on."""
    async with start_amqtt(everybody) as broker:
        broker.protocol = aiomqtt.ProtocolVersion.V5
        with pytest.raises(aiomqtt.MqttCodeError) as refused:
            await broker.client(A).__aenter__()
        assert (
            "132" in str(refused.value) or getattr(refused.value.rc, "value", refused.value.rc) == 132
        )  # int or ReasonCode


async def test_an_oversize_packet_ends_its_connection_and_nothing_else(
    start_broker: "Start", everybody: dict[str, str]
) -> None:
    async with start_broker(everybody) as broker, AsyncExitStack() as stack:
        _, heard = await stack.enter_async_context(listening(broker, S1, ["gw/+/up/#"]))
        good = await stack.enter_async_context(broker.client(B))
        bad = broker.client(A)
        await bad.__aenter__()
        with pytest.raises(aiomqtt.MqttError):
            await bad.publish(f"gw/{A}/up/ev", bytes(300_000), qos=1)
        await good.publish(f"gw/{B}/up/ev", bytes(131_072), qos=1)
        await heard.until(bytes(131_072))
        assert {topic for topic, _ in heard.heard} == {f"gw/{B}/up/ev"}
