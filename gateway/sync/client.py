"""The MQTT shell around the session: connects, reads rows from the outbox when the window has room, writes acks to it.

PUBACK is flow control inside the client library and nothing here waits for it: only the server's own ack counts.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import aiomqtt
import structlog

from gateway.config import BrokerConfig, GatewayConfig
from gateway.sync.session import Facts, Row, Session, StreamRows, Writes, reconnect_delay_s
from shared import topics
from shared.clock import Clocks
from shared.errors import ConfigError, DataError, RetryableError
from shared.mqtt_link import linked
from shared.ranges import Ranges, difference, union
from shared.wire import Ack, Command, Health, Result, decode_message, encode_message

CONNECT_S = 10.0
PUBACK_S = 120.0
"""A broker that confirms nothing for this long is left and tried anew."""
RETRY_S = 1.0
FLUSH_S = 2.0
WRONG_VERSION = 132
"""Reason code of a broker that does not speak MQTT 5; amqtt's refusal in 3.1.1 reads as this too."""

log = structlog.get_logger("gateway.sync")


class Outbox(Protocol):
    """What the shell needs of the outbox."""

    async def streams(self) -> Sequence[StreamRows]:
        """Every stream that has rows, oldest first."""
        ...

    async def read(self, stream: bytes, first: int, last: int) -> Sequence[Row]:
        """Consecutive rows from ``first``, as many as fit a message."""
        ...

    async def mark_acked(self, acked: Sequence[tuple[bytes, Ranges]]) -> None:
        """Remember what the server has."""
        ...

    async def mark_unsent(self, stream: bytes, rows: Ranges) -> None:
        """Remember that the server does not have these after all."""
        ...

    async def start_stream(self) -> None:
        """End the open stream; the next row begins another."""
        ...

    def subscribe(self, callback: Callable[[], None]) -> None:
        """Call back on the event loop after each commit of new rows."""
        ...


class SyncClient:
    """Delivers the outbox to the server for as long as the process lives."""

    def __init__(
        self,
        config: GatewayConfig,
        outbox: Outbox,
        clocks: Clocks,
        facts: Callable[[], Facts],
        draw: random.Random | None = None,
        *,
        commands: Callable[[Command], None] = lambda _command: None,
    ) -> None:
        self._commands = commands
        self._config = config
        self._outbox = outbox
        self._clocks = clocks
        self._facts = facts
        self._draw = draw or random.SystemRandom()
        self._session = Session(self._draw, lambda: self._draw.randbytes(16))
        self._protocol = _first_protocol(config.broker)
        self._mqtt: aiomqtt.Client | None = None
        self._wake = asyncio.Event()
        self._news = True
        self._writes = _PendingWrites()
        self._local_alarm: str | None = None
        outbox.subscribe(self._on_commit)

    @property
    def alarms(self) -> tuple[str, ...]:
        """Codes of what needs a person: those of the session, ``password_file`` or ``refused`` by the broker."""
        local = (self._local_alarm,) if self._local_alarm else ()
        return (*self._session.alarms(self._clocks.mono_ms()), *local)

    @property
    def greeted(self) -> bool:
        """Whether the server has answered over the present link."""
        return self._session.greeted

    async def run(self) -> None:
        """Connect, deliver, connect again; ends only by cancellation and then writes the acks it still holds."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._write())
                await self._keep_linked()
        finally:
            with suppress(TimeoutError, RetryableError):
                async with asyncio.timeout(FLUSH_S):
                    await self._writes.apply(self._outbox)

    async def publish_health(self, health: Health) -> bool:
        """Send it if there is a link, at most once; False when it is dropped."""
        if self._mqtt is None or not self.greeted:
            return False
        try:
            await self._mqtt.publish(topics.up(self._config.id, "health"), encode_message(health), qos=0)
        except aiomqtt.MqttError:
            return False
        return True

    async def publish_result(self, result: Result) -> bool:
        """Send it if there is a link; False when it is not: the server sends the command again until it has one."""
        if self._mqtt is None or not self.greeted:
            return False
        try:
            payload = encode_message(result)
            await self._mqtt.publish(topics.up(self._config.id, "result"), payload, qos=1, timeout=PUBACK_S)
        except aiomqtt.MqttError:
            return False
        return True

    # --- the link ---------------------------------------------------------------------------------------------------

    async def _keep_linked(self) -> None:
        failures = 0
        while True:
            protocol = self._protocol
            try:
                failures = 0 if await self._link() else failures + 1
            except ConfigError as error:  # a person may put the file right at any time
                self._local_alarm, failures = "password_file", failures + 1
                log.warning("no_password", reason=str(error))
            if self._protocol is protocol:  # else the broker has just said how to talk to it
                await asyncio.sleep(reconnect_delay_s(max(failures - 1, 0), self._draw))

    async def _link(self) -> bool:
        """Deliver over one connection until it ends; whether the server answered over it."""
        greeted = False
        try:
            async with linked(self._new_client()) as client:
                self._local_alarm = None
                log.info("connected", protocol=self._protocol.name)
                await client.subscribe([(topics.down(self._config.id, kind), 1) for kind in ("ack", "cmd")])
                self._session.connected(self._clocks.mono_ms())
                self._mqtt = client
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._hear(client))
                    group.create_task(self._speak(client, group))
        except* aiomqtt.MqttError as errors:
            self._on_link_error(_first(errors))
        finally:
            greeted = self._session.greeted
            self._mqtt = None
            self._session.disconnected()
        return greeted

    def _on_link_error(self, error: BaseException) -> None:
        code = getattr(error, "rc", None)
        reason = getattr(code, "value", code)
        if reason == WRONG_VERSION and self._config.broker.protocol == "auto":
            self._protocol = aiomqtt.ProtocolVersion.V311
        elif reason in (134, 135):  # wrong password, not authorised
            self._local_alarm = "refused"
        log.warning("no_link", reason=str(error), broker=f"{self._config.broker.host}:{self._config.broker.port}")

    def _new_client(self) -> aiomqtt.Client:
        broker = self._config.broker
        five = self._protocol is aiomqtt.ProtocolVersion.V5
        client = aiomqtt.Client(
            broker.host,
            broker.port,
            username=self._config.id,
            password=read_password(broker),
            identifier=self._config.id,
            protocol=self._protocol,
            clean_session=None if five else True,
            clean_start=True if five else 3,  # paho's own default, which 3.1.1 insists on
            keepalive=broker.keepalive_s,
            timeout=CONNECT_S,
            max_queued_incoming_messages=1000,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )
        client.pending_calls_threshold = 1000
        return client

    # --- both directions --------------------------------------------------------------------------------------------

    async def _hear(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            payload = bytes(message.payload)
            try:
                if message.topic.value == topics.down(self._config.id, "cmd"):
                    self._commands(decode_message(payload, Command))
                else:
                    self._take(self._session.acknowledged(decode_message(payload, Ack), self._clocks.mono_ms()))
            except DataError as error:
                log.warning("bad_message", topic=message.topic.value, reason=str(error))

    def _take(self, writes: Writes) -> None:
        if writes.rejected:
            log.warning("quarantined_by_server", rows=writes.rejected)
        for stream, rows in writes.unsent:
            log.warning("sent_again", stream=stream.hex(), ranges=rows)
        self._writes.add(writes)
        self._wake.set()

    async def _speak(self, client: aiomqtt.Client, group: asyncio.TaskGroup) -> None:
        session, mono_ms = self._session, self._clocks.mono_ms

        def publish(kind: topics.Up, payload: bytes) -> None:
            group.create_task(client.publish(topics.up(self._config.id, kind), payload, qos=1, timeout=PUBACK_S))

        async def say_all() -> None:
            await self._look()
            if session.hello_due(mono_ms()):
                for hello in session.hellos(mono_ms(), self._facts()):
                    publish("hello", encode_message(hello))
            while wanted := session.wanted(mono_ms()):
                rows = await self._outbox.read(wanted.stream, wanted.first, wanted.last)
                if payload := session.sent(wanted, rows, mono_ms()):
                    publish("ev", payload)
                await self._look()

        while True:
            self._wake.clear()
            try:
                await say_all()
            except RetryableError as error:
                log.warning("outbox_unreadable", reason=str(error))
                self._news = True
                await asyncio.sleep(RETRY_S)
            else:
                await self._rest()

    async def _look(self) -> None:
        """Ask the outbox what it holds, if that may have changed."""
        if self._news:
            self._news = False
            self._session.observe(await self._outbox.streams())

    async def _rest(self) -> None:
        """Sleep until a commit, an ack or the next time-out."""
        now = self._clocks.mono_ms()
        due = self._session.due_ms(now)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if due is None else max(due - now, 1) / 1000):
                await self._wake.wait()

    def _on_commit(self) -> None:
        self._news = True
        self._wake.set()

    async def _write(self) -> None:
        """Bring acks into the outbox; what comes during a commit goes into the next one together."""
        while True:
            await self._writes.some.wait()
            try:
                if await self._writes.apply(self._outbox):
                    self._on_commit()
            except RetryableError as error:
                log.warning("acks_not_stored", reason=str(error))
                await asyncio.sleep(RETRY_S)


class _PendingWrites:
    """What acks change and the outbox has not committed yet; order is kept: taken back first, acked on top."""

    def __init__(self) -> None:
        self.some = asyncio.Event()
        self._acked: dict[bytes, Ranges] = {}
        self._unsent: dict[bytes, Ranges] = {}
        self._start_stream = False
        self._busy = asyncio.Lock()

    def add(self, writes: Writes) -> None:
        for stream, rows in writes.unsent:
            self._acked[stream] = difference(self._acked.get(stream, []), rows)
            self._unsent[stream] = union(self._unsent.get(stream, []), rows)
        for stream, rows in writes.acked:
            self._acked[stream] = union(self._acked.get(stream, []), rows)
        self._start_stream = self._start_stream or writes.start_stream
        if self._acked or self._unsent or self._start_stream:
            self.some.set()

    async def apply(self, outbox: Outbox) -> bool:
        """Commit all that waits; True when streams changed. What fails stays for the next call."""
        async with self._busy:
            self.some.clear()
            changed = self._start_stream
            try:
                if self._start_stream:
                    await outbox.start_stream()
                    self._start_stream = False
                for stream, rows in list(self._unsent.items()):
                    await outbox.mark_unsent(stream, rows)
                    self._unsent[stream] = difference(self._unsent[stream], rows)
                if acked := [(stream, rows) for stream, rows in self._acked.items() if rows]:
                    await outbox.mark_acked(acked)
                for stream, rows in acked:
                    self._acked[stream] = difference(self._acked[stream], rows)
            finally:
                self._acked = {stream: rows for stream, rows in self._acked.items() if rows}
                self._unsent = {stream: rows for stream, rows in self._unsent.items() if rows}
                if self._acked or self._unsent or self._start_stream:
                    self.some.set()
            return changed


def _first(errors: BaseExceptionGroup[aiomqtt.MqttError]) -> BaseException:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def read_password(broker: BrokerConfig) -> str:
    """The password in ``password_file``; ConfigError when the file is unreadable or empty."""
    path = broker.password_file
    try:
        password = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: can not be read ({error}); `muster server gateways password <id>` prints a new password"
        ) from error
    if not password:
        raise ConfigError(f"{path}: is empty; put the password into it that `muster server gateways add` printed")
    return password


def _first_protocol(broker: BrokerConfig) -> aiomqtt.ProtocolVersion:
    return aiomqtt.ProtocolVersion.V311 if broker.protocol == "3.1.1" else aiomqtt.ProtocolVersion.V5
