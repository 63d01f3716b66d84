"""The broker inside the server process: amqtt with our accounts and our topic rules.

MQTT 3.1.1 only, for the demo and a single box. What amqtt 0.12 leaves open is closed here: it ends a session by client
id before it asks for a password, sends wills and retained messages past the topic rules, hangs on an MQTT 5 CONNECT
with a user name, and reads packets of any size.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from amqtt.adapters import BufferReader, ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter, WriterAdapter
from amqtt.broker import Broker
from amqtt.codecs_amqtt import read_or_raise
from amqtt.contexts import Action, BaseContext, BrokerConfig, ListenerConfig
from amqtt.errors import CodecError, MQTTError, NoDataError
from amqtt.mqtt.connack import UNACCEPTABLE_PROTOCOL_VERSION, ConnackPacket
from amqtt.mqtt.packet import CONNECT, MQTTFixedHeader
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin
from amqtt.session import Session

from server.fleet.passwords import verify_password
from server.fleet.topic_rules import Act, may, may_subscribe
from shared.wire import MAX_MESSAGE

MAX_PACKET = 2 * MAX_MESSAGE
"""Bytes of one packet, as ``max_packet_size`` of the Mosquitto sample."""

CONNECT_S = 10.0
"""A connection that says nothing for this long is closed."""

HashOf = Callable[[str], Awaitable[str | None]]
"""Password hash of a user that may connect now; None for anybody else."""


@dataclass
class Accounts:
    """Who may connect, asked at each connect, and who lost that right while connected."""

    hash_of: HashOf
    revoked: Callable[[], frozenset[str]]


class MusterBrokerPlugin(BaseAuthPlugin, BaseTopicPlugin):
    """amqtt's questions, answered by the rules that also write Mosquitto's ACL file."""

    @dataclass
    class Config:
        """``accounts`` is handed over as an object: the broker lives in this process."""

        accounts: Accounts

    def __init__(self, context: BaseContext) -> None:
        super().__init__(context)
        self.accounts: Accounts = self.config.accounts

    async def authenticate(self, *, session: Session) -> bool:
        """Right password, the user's own name as client id, and a will only where the user may publish."""
        user, password = session.username, session.password
        if not user or not password or session.client_id != user:
            return False
        stored = await self.accounts.hash_of(user)
        if stored is None or not verify_password(password, stored):
            return False
        return not session.will_flag or may(user, Act.PUBLISH, session.will_topic or "")

    async def topic_filtering(
        self, *, session: Session | None = None, topic: str | None = None, action: Action | None = None
    ) -> bool:
        """Whether this session may do that; never suspends, see ``EmbeddedBroker``."""
        if session is None or topic is None or not session.username:
            return False
        revoked = self.accounts.revoked()
        match action:
            case Action.SUBSCRIBE:
                return may_subscribe(session.username, topic, revoked)
            case Action.PUBLISH:
                return may(session.username, Act.PUBLISH, topic, revoked)
            case Action.RECEIVE:
                return may(session.username, Act.RECEIVE, topic, revoked)
            case _:
                return False


class EmbeddedBroker(Broker):
    """amqtt's broker with its doors closed."""

    def __init__(self, host: str, port: int, accounts: Accounts) -> None:
        listener = ListenerConfig(bind=f"{host}:{port}")
        plugin = f"{MusterBrokerPlugin.__module__}.{MusterBrokerPlugin.__name__}"
        super().__init__(BrokerConfig(listeners={"default": listener}, plugins={plugin: {"accounts": accounts}}))

    @property
    def port(self) -> int:
        """The port really bound, for a configured port 0."""
        return int(next(iter(self._servers["default"].instance.sockets)).getsockname()[1])

    async def stream_connected(self, reader, writer, listener_name):  # type: ignore[no-untyped-def]
        """A TCP client whose packets are limited."""
        await self._client_connected(listener_name, _LimitedReader(reader), StreamWriterAdapter(writer))

    async def retain_message(self, *_args: object, **_kwargs: object) -> None:
        """Nothing of ours is retained, and amqtt hands retained messages to clients that never asked."""

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, _address: str, _port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        """Check the password before anything that the client id touches; every session is a clean one."""
        try:
            async with asyncio.timeout(CONNECT_S):
                connect = BufferReader(await _read_connect(reader, writer))
            handler, session = await BrokerProtocolHandler.init_from_connect(connect, writer, self.plugins_manager)
        except (CodecError, NoDataError, OSError, TimeoutError) as error:
            await writer.close()
            raise MQTTError(f"no CONNECT that can be read: {error!r}") from error
        session.clean_session, session.parent = True, 0
        if not await self._authenticate(session, self.listeners_config["default"]):
            handler.attach(session, reader, writer)
            await handler.mqtt_connack_authorize(False)
            await writer.close()
            raise MQTTError(f"user {session.username!r} refused: wrong password, client id or will")
        if session.client_id is not None:
            await self._cleanup_session(session.client_id)
        return handler, session

    async def _topic_filtering(self, session: Session, topic: str, action: Action) -> bool:
        """Ask the one plugin without a task switch: amqtt walks its subscriptions meanwhile, they must not change."""
        (plugin,) = self.plugins_manager.plugins
        assert isinstance(plugin, MusterBrokerPlugin)  # noqa: S101 - the only one that __init__ names
        return await plugin.topic_filtering(session=session, topic=topic, action=action)


class _LimitedReader(StreamReaderAdapter):
    async def read(self, n: int = -1) -> bytes:
        if n > MAX_PACKET:
            # No MQTTError: amqtt's reader loop takes that for a bad message and goes on in the middle of the packet.
            raise ConnectionAbortedError(f"packet of {n} bytes, at most {MAX_PACKET}")
        data: bytes = await super().read(n)
        return data


async def _read_connect(reader: ReaderAdapter, writer: WriterAdapter) -> bytes:
    """The whole CONNECT packet of an MQTT 3.1.1 client; others get the answer that lets them step down.

    amqtt parses an MQTT 5 CONNECT as if it were 3.1.1 and then waits for bytes that never come.
    """
    header = await MQTTFixedHeader.from_stream(reader)
    if header is None or header.packet_type != CONNECT:
        raise NoDataError("first packet is no CONNECT")
    body = await read_or_raise(reader, header.remaining_length)
    if body.startswith(b"\x00\x04MQTT") and body[6:7] != b"\x04":
        await ConnackPacket.build(0, UNACCEPTABLE_PROTOCOL_VERSION).to_stream(writer)
        raise NoDataError(f"protocol level {body[6:7].hex()}, only 4 (MQTT 3.1.1) is spoken here")
    return bytes(header.to_bytes()) + body


def quieten_amqtt() -> None:
    """Amqtt writes each packet and each connection to the log; warnings are what an operator can use."""
    for name in ("amqtt", "transitions"):
        logging.getLogger(name).setLevel(logging.ERROR)
