"""Readers that publish: the gateway subscribes at their broker and confirms each message after the commit."""

import ssl
from collections.abc import Callable, Sequence
from datetime import tzinfo
from pathlib import Path

import aiomqtt

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.reader_mqtt.codec import Piece, tags_of
from gateway.profile import Profile
from gateway.scans.frames import Found, Noise, Read
from gateway.scans.presence import Antennas, Presence
from gateway.scans.station import Desk, decode_reads, station_of
from shared.clock import to_ms
from shared.errors import ConfigError, DataError, RetryableError

FAMILY = "reader_mqtt"
PORT, TLS_PORT = 1883, 8883
KEEP_ALIVE_S = 30
REFUSED = frozenset({4, 5, 134, 135})
"""CONNACK codes: bad user name or password, not authorised."""


class ReaderMqtt:
    """The family of publishing RFID readers."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per reader; ConfigError for settings that can not work."""
        return [DriverTask(t.config.name, [t], Subscription(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The tags in one message; every read is shown."""
        found = [p if isinstance(p, Noise) else Read(p.epc, wall=p.wall, number=p.number) for p in tags_of(data)]
        return [decode_reads("tags", found, profile, zone, terminal)]


DRIVER = ReaderMqtt()


class ConfirmingClient(aiomqtt.Client):
    """A client whose PUBACK is sent by ``confirm``, not on arrival."""

    def hold_confirmations(self) -> None:
        """From now on nothing is confirmed by itself; call it before connecting."""
        self._client.manual_ack_set(True)

    def confirm(self, message: aiomqtt.Message) -> None:
        """Tell the broker that this message is safe."""
        self._client.ack(message.mid, message.qos)


class Subscription:
    """The conversation with the broker of one reader."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config = terminal.config
        if config.host is None or config.topic is None:
            raise ConfigError(f"terminal {config.name}: set host to the broker's address and topic to the reader's")
        self._config, self._context, self._topic = config, context, config.topic
        self._host, self._port = config.host, config.port or (TLS_PORT if config.ca_file else PORT)
        self._desk = Desk(station_of(terminal, framed=False), context)
        self._tags = TagReads(Presence(round(config.window_s * 1000)), Antennas(config), context.clocks.mono_ms)
        if config.key_file is not None:
            read_account(config.key_file)

    async def run(self) -> None:
        """One connection; RetryableError when it can not be had or ends, ConfigError when the broker refuses us."""
        client = self._client()
        client.hold_confirmations()
        try:
            async with client:
                await client.subscribe(self._topic, qos=1)
                self._desk.opened()
                async for message in client.messages:
                    await self._take(message)
                    client.confirm(message)
        except aiomqtt.MqttCodeError as error:
            code = getattr(error.rc, "value", error.rc)
            if code in REFUSED:
                raise ConfigError(
                    f"{self._host}:{self._port} refuses the account: put user:password into key_file"
                ) from error
            self._desk.lost("no_contact", str(error))
            raise RetryableError(f"{self._host}:{self._port}: {error}") from error
        except (aiomqtt.MqttError, OSError) as error:
            self._desk.lost("no_contact", str(error))
            raise RetryableError(f"{self._host}:{self._port}: {error}") from error

    def _client(self) -> ConfirmingClient:
        account = None if self._config.key_file is None else read_account(self._config.key_file)
        ca = self._config.ca_file
        return ConfirmingClient(
            self._host,
            self._port,
            username=account[0] if account else None,
            password=account[1] if account else None,
            identifier=f"muster-{self._desk.station.name}",  # the same each time: the broker keeps what we miss
            clean_session=False,
            keepalive=KEEP_ALIVE_S,
            tls_context=None if ca is None else ssl.create_default_context(cafile=str(ca)),
        )

    async def _take(self, message: aiomqtt.Message) -> None:
        """Commit what a message says."""
        self._desk.heard()
        payload = bytes(message.payload)
        try:
            pieces = tags_of(payload)
        except DataError as error:
            pieces = [Noise(error.code, payload)]
        await self._desk.keep(self._desk.events(self._tags.reads(pieces)))


class TagReads:
    """Tags to reads: one for each stay at an antenna."""

    def __init__(self, presence: Presence, antennas: Antennas, mono_ms: Callable[[], int]) -> None:
        self._presence, self._antennas, self._mono_ms = presence, antennas, mono_ms

    def reads(self, pieces: Sequence[Piece]) -> list[Found]:
        """What is new in them."""
        found: list[Found] = []
        for piece in pieces:
            if isinstance(piece, Noise):
                found.append(piece)
                continue
            at = self._mono_ms() if piece.wall is None else to_ms(piece.wall)
            if self._presence.is_new(piece.epc, piece.antenna, at):
                station, kind = self._antennas.place(piece.antenna)
                found.append(Read(piece.epc, "", piece.wall, piece.number, kind, None, station))
        return found


def read_account(path: Path) -> tuple[str, str]:
    """``user:password`` in a file; ConfigError does not repeat it."""
    try:
        user, colon, password = path.read_text(encoding="utf-8").strip().partition(":")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the account can not be read ({type(error).__name__})") from error
    if not colon or not user:
        raise ConfigError(f"{path}: expected user:password")
    return user, password
