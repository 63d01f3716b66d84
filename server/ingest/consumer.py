"""The MQTT side of ingest: messages in, transactions, acks out; whatever fails is tried again with the message kept."""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeVar

import aiomqtt
import structlog

from server.config import BrokerConfig, ServerConfig, broker_password
from server.ingest import orders, watch
from server.ingest.gaps import GapWatch
from server.ingest.inbox import Inbox, Message
from server.ingest.session import read_batch, refused
from server.ingest.transaction import Ingest, Sent
from server.store.database import Database
from server.store.ingest_faults import is_passing
from server.store.ingest_store import ingest_store
from shared.clock import Clocks
from shared.errors import ConfigError, DataError
from shared.mqtt_link import linked
from shared.topics import down, parse_up
from shared.wire import Ack, Health, Hello, Result, decode_message, encode_message

SUBSCRIPTION = "gw/+/up/#"
SHARED_SUBSCRIPTION = f"$share/muster/{SUBSCRIPTION}"
WORKERS = {"sqlite": 1, "postgresql": 2}
"""Transactions at once: with two, one reads messages while the other waits for the disk. SQLite has one writer."""
FIRST_RETRY_S = 0.1
LONGEST_RETRY_S = 5.0
UNSUPPORTED_PROTOCOL = 132
REFUSED_ACCOUNT = frozenset({4, 5, 134, 135})
DRAIN_S = 5.0
"""How long a stop waits for transactions under way and their acks."""
MOST_BUSY_MS = 10_000
NOT_BUSY_MS = 500

log = structlog.get_logger("server.ingest")
_T = TypeVar("_T")


async def consume(db: Database, config: ServerConfig, clocks: Clocks) -> None:
    """Take in what gateways send until cancelled; what was received by then is committed and acked."""
    consumer = Consumer(db, clocks)
    tasks = [asyncio.create_task(consumer.work()) for _ in range(WORKERS[db.dialect])]
    tasks += [asyncio.create_task(work) for work in (consumer.publish(), consumer.send_commands(), _look(db, clocks))]
    receiving = asyncio.create_task(receive(consumer, config.broker))
    try:
        done, _ = await asyncio.wait([receiving, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await _end(receiving)  # the others still work: it waits for what was received
        await _end(*tasks)


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def receive(consumer: "Consumer", config: BrokerConfig) -> None:
    """Stay connected and hand over each message; ConfigError when the broker does not know us."""
    protocols = _protocols(config)
    failures = 0
    while True:
        try:
            async with linked(_client(config, protocols[0])) as client:
                await client.subscribe(SHARED_SUBSCRIPTION if config.shared else SUBSCRIPTION, qos=1)
                log.info("connected", host=config.host, port=config.port, protocol=protocols[0].name, user=config.user)
                failures = 0
                await _listen(consumer, client)
        except aiomqtt.MqttError as error:
            code = _code(error)
            if code == UNSUPPORTED_PROTOCOL and len(protocols) > 1:
                protocols = protocols[1:]
                continue
            if code in REFUSED_ACCOUNT:
                raise ConfigError(
                    f"the broker refuses user {config.user} ({error}); write its files anew with "
                    "`muster server broker acl` and let it read them"
                ) from error
            delay = retry_delay(failures)
            failures += 1
            log.warning("broker_away", reason=str(error), again_in_s=round(delay, 2))
            await asyncio.sleep(delay)


async def _listen(consumer: "Consumer", client: aiomqtt.Client) -> None:
    consumer.client = client
    try:
        async for message in client.messages:
            consumer.accept(message.topic.value, message.payload)
    except asyncio.CancelledError:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                await consumer.drained()
        raise
    finally:
        consumer.client = None


class Consumer:
    """Between broker and database: waiting messages, transactions, acks."""

    def __init__(self, db: Database, clocks: Clocks) -> None:
        self.client: aiomqtt.Client | None = None
        self.inbox = Inbox()
        self._db = db
        self._ingest = Ingest(db, ingest_store(db))
        self._clocks = clocks
        self._acks: asyncio.Queue[tuple[str, Ack]] = asyncio.Queue(1_000)
        self._ms_per_message = 0.0

    def accept(self, topic: str, payload: bytes) -> None:
        """Take a message from the broker; it waits for the next transaction."""
        try:
            sender = parse_up(topic)
        except DataError:
            self.inbox.put(Message(topic[:64], None, payload))
        else:
            self.inbox.put(Message(sender.gateway, sender.kind, payload))

    async def work(self) -> None:
        """Deal with whatever waits, together, for ever."""
        while True:
            messages = await self.inbox.take()
            try:
                await self.deal_with(messages)
            except Exception:
                log.exception("messages_dropped", messages=len(messages))  # not acked: their gateways send them again
            finally:
                self.inbox.done(messages)

    async def deal_with(self, messages: Sequence[Message]) -> None:
        """Commit what these messages say and queue the acks; returns when all of it is done."""
        begun = self._clocks.mono_ms()
        health: dict[str, Health] = {}
        sent: list[Sent] = []
        for message in messages:
            try:
                match message.kind:
                    case "ev":
                        sent.append((message.gateway, read_batch(message.payload)))
                    case "hello":
                        await self._greet(message, decode_message(message.payload, Hello))
                    case "result":
                        await self._keep_result(message, decode_message(message.payload, Result))
                    case "health":
                        health[message.gateway] = decode_message(message.payload, Health)
                    case _:
                        await self._refuse(message, "bad_topic")
            except DataError as error:
                await self._refuse(message, error.code)
        if sent:
            await self._store(sent)
        if health:
            await self._keep(health)
        took = (self._clocks.mono_ms() - begun) / len(messages)
        self._ms_per_message += (took - self._ms_per_message) / 8

    async def publish(self) -> None:
        """Send queued acks; one that can not be sent is dropped, as its gateway asks again."""
        while True:
            gateway, ack = await self._acks.get()
            try:
                if self.client is not None:
                    await self.client.publish(down(gateway, "ack"), encode_message(ack), qos=1)
            except aiomqtt.MqttError as error:
                log.info("ack_not_sent", gateway=gateway, reason=str(error))
            finally:
                self._acks.task_done()

    async def drained(self) -> None:
        """Wait until all that was accepted is committed and its acks are sent."""
        waiting = len(self.inbox)
        await self.inbox.idle()
        await self._acks.join()
        log.info("drained", messages=waiting)

    def busy_ms(self) -> int:
        """How long gateways should hold back, from what waits and how fast it went lately."""
        expected = int(self._ms_per_message * len(self.inbox))
        return 0 if expected < NOT_BUSY_MS else min(expected, MOST_BUSY_MS)

    async def _greet(self, message: Message, hello: Hello) -> None:
        gateway = message.gateway
        try:
            ack = await self._until_done(lambda: self._ingest.greet(gateway, hello, self._clocks.wall_ms()))
        except Exception:
            log.exception("hello_not_storable", gateway=gateway)
            await self._refuse(message, "not_storable")
            return
        if ack is not None:
            await self._acks.put((gateway, ack))

    async def _keep(self, health: Mapping[str, Health]) -> None:
        """Telemetry may be dropped, and the next one comes soon."""
        try:
            await self._until_done(lambda: self._ingest.keep_health(health, self._clocks.wall_ms()))
        except Exception:
            log.exception("health_dropped", gateways=sorted(health))

    async def _keep_result(self, message: Message, result: Result) -> None:
        now_ms = self._clocks.wall_ms()
        await self._until_done(lambda: orders.keep_result(self._db, message.gateway, result, now_ms))

    async def send_commands(self) -> None:
        """Send what terminals are to do, for ever; what was not sent or not answered comes again."""
        while True:
            await asyncio.sleep(orders.EVERY_S)
            client = self.client
            if client is None:
                continue
            for gateway, command in await self._until_done(lambda: orders.due(self._db, self._clocks.wall_ms())):
                try:
                    await client.publish(down(gateway, "cmd"), encode_message(command), qos=1)
                except aiomqtt.MqttError as error:
                    log.info("command_not_sent", gateway=gateway, reason=str(error))
                    break

    async def _refuse(self, message: Message, code: str) -> None:
        log.warning("message_refused", gateway=message.gateway, kind=message.kind, code=code)
        now_ms = self._clocks.wall_ms()
        await self._until_done(lambda: self._ingest.refuse(message.gateway, code, message.payload, now_ms))

    async def _store(self, sent: Sequence[Sent]) -> None:
        """One transaction for all; if the database finds one of them unbearable, each its own."""
        try:
            acks = await self._until_done(lambda: self._ingest.store(sent, self._clocks.wall_ms()))
        except Exception as error:
            if len(sent) > 1:
                for one in sent:
                    await self._store([one])
                return
            ((gateway, batch),) = sent
            if batch.code is not None:
                raise
            log.exception("batch_not_storable", gateway=gateway, first=batch.head.first, reason=str(error))
            await self._store([(gateway, refused(batch, "not_storable"))])
            return
        for gateway, streams in acks.items():
            await self._acks.put((gateway, Ack(streams=streams, busy_ms=self.busy_ms())))

    async def _until_done(self, transaction: Callable[[], Awaitable[_T]]) -> _T:
        """Run a transaction again after each passing fault of the database; other errors are the caller's."""
        failures = 0
        while True:
            try:
                return await transaction()
            except Exception as error:
                if not is_passing(error):
                    raise
                delay = retry_delay(failures)
                failures += 1
                log.warning("database_away", reason=str(error).partition("\n")[0], again_in_s=round(delay, 2))
            await asyncio.sleep(delay)


def retry_delay(failures: int) -> float:
    """Seconds before the next try, doubling, with a third of jitter."""
    longest: float = min(FIRST_RETRY_S * 2 ** min(failures, 10), LONGEST_RETRY_S)
    return longest * random.uniform(2 / 3, 1)  # noqa: S311 - spreads retries, guards nothing


async def _look(db: Database, clocks: Clocks) -> None:
    gaps = GapWatch()
    while True:
        await asyncio.sleep(watch.EVERY_S)
        try:
            await watch.look(db, clocks, gaps)
        except Exception as error:
            if not is_passing(error):
                raise
            log.warning("database_away", reason=str(error).partition("\n")[0])


def _protocols(config: BrokerConfig) -> list[aiomqtt.ProtocolVersion]:
    v5, v311 = aiomqtt.ProtocolVersion.V5, aiomqtt.ProtocolVersion.V311
    return {"auto": [v5, v311], "5": [v5], "3.1.1": [v311]}[config.protocol]


def _client(config: BrokerConfig, protocol: aiomqtt.ProtocolVersion) -> aiomqtt.Client:
    v5 = protocol is aiomqtt.ProtocolVersion.V5
    return aiomqtt.Client(
        config.host,
        config.port,
        username=config.user,
        password=broker_password(config),
        identifier=config.user,
        protocol=protocol,
        clean_session=None if v5 else True,
        clean_start=True if v5 else 3,  # paho's own default, which 3.1.1 insists on
        keepalive=30,
        timeout=10,
    )


def _code(error: aiomqtt.MqttError) -> int | None:
    if not isinstance(error, aiomqtt.MqttCodeError) or error.rc is None:
        return None
    return error.rc if isinstance(error.rc, int) else error.rc.value
