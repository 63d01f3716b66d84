"""The MQTT shell against real brokers, a real outbox and a small server that keeps what it is sent."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path
from types import TracebackType

import aiomqtt
import pytest

from gateway.buffer.outbox import Outbox
from gateway.config import BrokerConfig, BufferConfig, GatewayConfig
from gateway.sync import client as client_module
from gateway.sync.client import SyncClient
from gateway.sync.session import Facts
from server.fleet.embedded_broker import Accounts, EmbeddedBroker
from server.fleet.passwords import hash_password
from shared.clock import Clocks, system_clocks
from shared.punch import Punch
from shared.ranges import Ranges, union
from shared.wire import (
    Ack,
    Health,
    Hello,
    StreamAck,
    decode_ev_body,
    decode_ev_head,
    decode_event,
    decode_message,
    encode_message,
)
from tests.support.loopback import free_port
from tests.support.mosquitto import Mosquitto

ID, SERVER, SECRET = "gw-0123456789", "server-1", "secret"
CLOCKS = system_clocks()


class SmallServer:
    """Answers hello and ev of one gateway from memory; ``deaf`` makes it silent."""

    def __init__(self, port: int) -> None:
        self._mqtt = aiomqtt.Client("127.0.0.1", port, username=SERVER, password=SECRET, identifier=SERVER)
        self.have: dict[bytes, Ranges] = {}
        self.users: list[str] = []
        self.hellos: list[Hello] = []
        self.health: list[Health] = []
        self.deaf = False
        self._news = asyncio.Condition()

    async def __aenter__(self) -> "SmallServer":
        await self._mqtt.__aenter__()
        await self._mqtt.subscribe("gw/+/up/#", qos=1)
        self._task = asyncio.create_task(self._serve())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError, aiomqtt.MqttError):
            await self._task
        with suppress(aiomqtt.MqttError):
            await self._mqtt.__aexit__(kind, error, trace)

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something that a message may bring about."""
        async with asyncio.timeout(20), self._news:
            await self._news.wait_for(holds)

    async def _serve(self) -> None:
        async for message in self._mqtt.messages:
            await self._take(str(message.topic).rpartition("/")[2], bytes(message.payload))
            async with self._news:
                self._news.notify_all()

    async def _take(self, kind: str, payload: bytes) -> None:
        if kind == "health":
            self.health.append(decode_message(payload, Health))
        elif kind == "hello":
            self.hellos.append(decode_message(payload, Hello))
            if not self.deaf:
                await self._answer(self.hellos[-1].id, [state.stream for state in self.hellos[-1].streams])
        elif not self.deaf:
            head, packed = decode_ev_head(payload)
            for body in decode_ev_body(head, packed):
                event = decode_event(body)
                assert isinstance(event, Punch)
                self.users.append(event.user)
            self.have[head.stream] = union(self.have.get(head.stream, []), [(head.first, head.last)])
            await self._answer(None, [head.stream])

    async def _answer(self, re: bytes | None, streams: list[bytes]) -> None:
        ack = Ack(re=re, streams=[StreamAck(stream, 0, self.have.get(stream, [])) for stream in streams])
        await self._mqtt.publish(f"gw/{ID}/down/ack", encode_message(ack), qos=1)


@pytest.fixture(params=["mosquitto", "amqtt"])
async def broker_port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    """The port of Mosquitto, or of the embedded broker, which speaks MQTT 3.1.1 only."""
    if request.param == "mosquitto":
        broker: Mosquitto = request.getfixturevalue("mosquitto")
        yield broker.port
        return
    embedded = await start_embedded(0)
    yield embedded.port
    await embedded.shutdown()


async def start_embedded(port: int) -> EmbeddedBroker:
    hashed = hash_password(SECRET)

    async def hash_of(user: str) -> str | None:
        return hashed if user in (ID, SERVER) else None

    embedded = EmbeddedBroker("127.0.0.1", port, Accounts(hash_of, frozenset))
    await embedded.start()
    return embedded


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    box = Outbox.open(tmp_path / "data", BufferConfig(ballast_mib=0), CLOCKS)
    yield box
    await box.close()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reconnect at once."""
    monkeypatch.setattr(client_module, "reconnect_delay_s", lambda _failures, _draw: 0.02)


def config(folder: Path, port: int, protocol: str = "auto") -> GatewayConfig:
    password = folder / "password"
    password.write_text(SECRET + "\n")
    broker = BrokerConfig(port=port, password_file=password, protocol=protocol)  # type: ignore[arg-type]
    return GatewayConfig(id=ID, data=folder / "data", zone="Asia/Shanghai", broker=broker)


def facts() -> Facts:
    return Facts(machine="m", wall_ms=1, clock_synced=True, free_bytes=1, software="muster test")


@asynccontextmanager
async def delivering(settings: GatewayConfig, outbox: Outbox, clocks: Clocks = CLOCKS) -> AsyncIterator[SyncClient]:
    link = SyncClient(settings, outbox, clocks, facts)
    task = asyncio.create_task(link.run())
    yield link
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def punches(first: int, last: int) -> Iterator[Punch]:
    for number in range(first, last + 1):
        yield Punch("T1", str(number), 1_800_000_000 + number, 28_800, 1_800_000_000_000 + 1000 * number)


def names(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


async def emptied(outbox: Outbox) -> None:
    await _until(lambda: outbox.stats().backlog == 0)


async def test_what_is_put_reaches_the_server_in_order_and_is_acked(
    broker_port: int, outbox: Outbox, tmp_path: Path
) -> None:
    """Over MQTT 5 on Mosquitto; on the embedded broker after its refusal over 3.1.1."""
    await outbox.put(list(punches(1, 1200)))
    async with SmallServer(broker_port) as server, delivering(config(tmp_path, broker_port), outbox):
        await server.until(lambda: len(server.users) >= 1200)
        assert server.users == names(1, 1200)
        await outbox.put(list(punches(1201, 1201)))
        await server.until(lambda: len(server.users) >= 1201)
        await emptied(outbox)
    assert [len(hello.streams) for hello in server.hellos] == [1]


async def test_nothing_is_sent_before_the_server_has_answered_hello(
    broker_port: int, outbox: Outbox, tmp_path: Path
) -> None:
    await outbox.put(list(punches(1, 10)))
    async with SmallServer(broker_port) as server, delivering(config(tmp_path, broker_port), outbox) as link:
        server.deaf = True
        await server.until(lambda: len(server.hellos) == 1)
        await outbox.put(list(punches(11, 20)))
        assert not link.greeted
        assert outbox.stats().backlog == 20
    assert server.users == []


async def test_it_comes_back_after_the_broker_died_and_loses_nothing(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path, quick: None
) -> None:
    async with delivering(config(tmp_path, mosquitto.port), outbox):
        async with SmallServer(mosquitto.port) as server:
            await outbox.put(list(punches(1, 100)))
            await server.until(lambda: len(server.users) >= 100)
            await emptied(outbox)
        mosquitto.kill()
        await outbox.put(list(punches(101, 200)))
        mosquitto.start()
        async with SmallServer(mosquitto.port) as again:
            again.have = server.have
            await again.until(lambda: len(again.users) >= 100)
            await emptied(outbox)
    assert again.users == names(101, 200)


async def test_the_same_after_the_embedded_broker_died(outbox: Outbox, tmp_path: Path, quick: None) -> None:
    port = free_port()
    await outbox.put(list(punches(1, 100)))
    async with delivering(config(tmp_path, port), outbox):
        for _ in range(2):
            broker = await start_embedded(port)
            async with SmallServer(port) as server:
                await server.until(lambda: len(server.users) >= 100)
                assert server.users == names(1, 100), "this server has nothing: it gets all again"
                await emptied(outbox)
            await broker.shutdown()


async def test_rows_that_a_restored_server_lacks_are_sent_again_after_a_restart(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path
) -> None:
    settings = config(tmp_path, mosquitto.port)
    await outbox.put(list(punches(1, 100)))
    for _ in range(2):
        async with SmallServer(mosquitto.port) as server, delivering(settings, outbox):
            await server.until(lambda: len(server.users) >= 100)
            await emptied(outbox)
        assert server.users == names(1, 100)


async def test_only_5_does_not_step_down(outbox: Outbox, tmp_path: Path, quick: None) -> None:
    broker = await start_embedded(0)
    async with SmallServer(broker.port) as server:
        settings = config(tmp_path, broker.port, "5")
        async with delivering(settings, outbox):
            await asyncio.sleep(0.3)  # some attempts; none may get through
        assert server.hellos == []
        async with delivering(config(tmp_path, broker.port, "3.1.1"), outbox):
            await server.until(lambda: len(server.hellos) == 1)
    await broker.shutdown()


async def test_a_wrong_password_alarms_until_the_file_is_put_right(outbox: Outbox, tmp_path: Path, quick: None) -> None:
    broker = await start_embedded(0)
    settings = config(tmp_path, broker.port)
    settings.broker.password_file.write_text("wrong")
    async with SmallServer(broker.port) as server, delivering(settings, outbox) as link:
        await _until(lambda: "refused" in link.alarms)
        settings.broker.password_file.unlink()
        await _until(lambda: "password_file" in link.alarms)
        settings.broker.password_file.write_text(SECRET)
        await server.until(lambda: len(server.hellos) == 1)
        await _until(lambda: link.alarms == ())
    await broker.shutdown()


async def test_garbage_instead_of_an_ack_changes_nothing(broker_port: int, outbox: Outbox, tmp_path: Path) -> None:
    async with SmallServer(broker_port) as server, delivering(config(tmp_path, broker_port), outbox) as link:
        await server.until(lambda: len(server.hellos) == 1)
        for garbage in (b"", b"\xc1", b"x" * 1000, encode_message(Ack(streams=[]))[:-3]):
            await server._mqtt.publish(f"gw/{ID}/down/ack", garbage, qos=1)
        await outbox.put(list(punches(1, 10)))
        await server.until(lambda: len(server.users) >= 10)
        assert link.greeted


async def test_an_ack_beyond_what_is_held_begins_a_new_stream(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path
) -> None:
    """An old copy of the disk: the server knows more of the open stream than we do."""
    await outbox.put(list(punches(1, 10)))
    (stream,) = await outbox.streams()
    async with SmallServer(mosquitto.port) as server, delivering(config(tmp_path, mosquitto.port), outbox) as link:
        server.have[stream.stream] = [(1, 25)]
        await _until(lambda: "ack_beyond" in link.alarms)
        await emptied(outbox)
        await outbox.put(list(punches(11, 20)))
        await server.until(lambda: len(server.users) >= 10)
    old, new = await outbox.streams()
    assert (old.stream, old.open, new.first, new.last) == (stream.stream, False, 1, 10)
    assert server.users == names(11, 20)


async def test_health_goes_out_while_there_is_a_link_and_is_dropped_without(
    broker_port: int, outbox: Outbox, tmp_path: Path
) -> None:
    health = Health(
        at=1, mono_ms=2, software="s", backlog=0, oldest_unacked_ms=None, free_bytes=1, quota_used_pct=0, alarms=["x"]
    )
    link = SyncClient(config(tmp_path, broker_port), outbox, CLOCKS, facts)
    assert not await link.publish_health(health)
    async with SmallServer(broker_port) as server, delivering(config(tmp_path, broker_port), outbox) as link:
        await server.until(lambda: len(server.hellos) == 1)
        await _until(lambda: link.greeted)
        assert await link.publish_health(health)
        await server.until(lambda: server.health == [health])


async def test_acks_that_are_not_yet_written_are_written_at_the_end(
    mosquitto: Mosquitto, outbox: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await outbox.put(list(punches(1, 10)))
    real: Callable[..., Awaitable[None]] = outbox.mark_acked
    stuck = asyncio.Event()

    async def slow(acked: list[tuple[bytes, Ranges]]) -> None:
        stuck.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(outbox, "mark_acked", slow)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(SmallServer(mosquitto.port))
        await stack.enter_async_context(delivering(config(tmp_path, mosquitto.port), outbox))
        await asyncio.wait_for(stuck.wait(), 10)
        monkeypatch.setattr(outbox, "mark_acked", real)
    assert outbox.stats().backlog == 0


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
