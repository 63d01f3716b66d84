"""The conversation with LLRP readers: sllurp sets the reader up, reports become scans, one for each stay of a tag."""

import asyncio
import importlib.util
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo

from gateway.device import Decoded, DeviceInfo
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.llrp import codec
from gateway.drivers.llrp.codec import Message, MessageDecoder, Tag
from gateway.profile import Profile
from gateway.scans.frames import Found, Noise, Read
from gateway.scans.presence import Antennas, Presence
from gateway.scans.station import Desk, decode_reads, station_of
from gateway.transports.tcp import TcpLink
from shared.clock import to_ms
from shared.errors import ConfigError, DataError, RetryableError

FAMILY = "llrp"
PORT = 5084
SET_UP_S = 20.0
KEEP_ALIVE_S = 10.0
SILENCE_S = 25.0
"""Two keep-alives missed: the reader is gone."""
WRITE_S = 10.0


class Llrp:
    """The family of LLRP readers."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()
    ports = (PORT,)

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One task per reader; ConfigError for settings that can not work."""
        if importlib.util.find_spec("sllurp") is None:
            raise ConfigError("LLRP readers need sllurp, which is not installed: pip install 'muster[llrp]'")
        return [DriverTask(t.config.name, [t], Reader(t, context).run) for t in terminals]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """The tags in captured messages of a reader; every report is shown."""
        found: list[Found] = []
        for message in MessageDecoder().feed(data):
            if message.kind == codec.RO_ACCESS_REPORT:
                found += [p if isinstance(p, Noise) else Read(p.epc, wall=p.first) for p in codec.tags_of(message)]
        return [decode_reads("report", found, profile, zone, terminal)]

    async def identify(self, host: str, port: int) -> DeviceInfo | None:
        """An LLRP reader greets whoever connects; None for something else."""
        decoder = MessageDecoder()
        try:
            async with await TcpLink.connect(host, port, 3.0) as link:
                while (piece := await link.read(3.0)) is not None:
                    for message in decoder.feed(piece):
                        return None if codec.attempt_of(message) is None else DeviceInfo(model="LLRP reader")
        except (RetryableError, DataError):
            return None
        return None


DRIVER = Llrp()


class SetUp:
    """sllurp's side of the dialogue: messages in, bytes out."""

    def __init__(self, antennas: list[int]) -> None:
        from sllurp import llrp

        self._llrp = llrp
        self.out = bytearray()
        settings = {
            "antennas": antennas or [0],  # 0: all that the reader has
            "report_every_n_tags": 1,
            "keepalive_interval": round(KEEP_ALIVE_S * 1000),
            "tag_content_selector": {
                "EnableROSpecID": False,
                "EnableSpecIndex": False,
                "EnableInventoryParameterSpecID": False,
                "EnableAntennaID": True,
                "EnableChannelIndex": False,
                "EnablePeakRSSI": True,
                "EnableFirstSeenTimestamp": True,
                "EnableLastSeenTimestamp": True,
                "EnableTagSeenCount": True,
                "EnableAccessSpecID": False,
            },
        }
        self._client = llrp.LLRPClient(llrp.LLRPReaderConfig(settings), transport_tx_write=self.out.extend)

    @property
    def done(self) -> bool:
        """Whether the reader is reading tags."""
        return bool(self._client.state == self._llrp.LLRPReaderState.STATE_INVENTORYING)

    def take(self, message: Message) -> None:
        """Go on with a message; RetryableError when it makes no sense, ConfigError for antennas that are not there."""
        try:
            self._client.handleMessage(self._llrp.LLRPMessage(msgbytes=message.raw))
        except self._llrp.ReaderConfigurationError as error:
            if "antenna" in str(error):
                raise ConfigError(f"{error}; correct the numbers in [terminal.antennas]") from error
            raise RetryableError(f"the reader can not be set up: {error}") from error
        except Exception as error:  # the library takes any bytes of a reader for granted
            raise RetryableError(f"message {message.kind} can not be understood ({type(error).__name__})") from error


class Reader:
    """The conversation with one reader."""

    def __init__(self, terminal: Terminal, context: DriverContext) -> None:
        config = terminal.config
        if config.host is None:
            raise ConfigError(f"terminal {config.name}: set host to the reader's address")
        self._host, self._port = config.host, config.port or terminal.profile.link.port or PORT
        self._timeout_s = terminal.profile.link.timeout_s
        self._desk = Desk(station_of(terminal, framed=False), context)
        self._antennas = Antennas(config)
        self._presence = Presence(round(config.window_s * 1000))
        self._mono_ms = context.clocks.mono_ms

    async def run(self) -> None:
        """One connection; RetryableError when it can not be had or ends."""
        try:
            async with await TcpLink.connect(self._host, self._port, self._timeout_s) as link:
                try:
                    await self._listen(link)
                finally:
                    await _say_goodbye(link)
        except RetryableError as error:
            self._desk.lost("busy" if isinstance(error, BusyError) else "no_contact", str(error))
            raise

    async def _listen(self, link: TcpLink) -> None:
        decoder, setup = MessageDecoder(), SetUp(self._antennas.numbers)
        try:
            async with asyncio.timeout(SET_UP_S):
                while not setup.done:
                    await self._next(link, decoder, setup)
        except TimeoutError as error:
            raise RetryableError(f"{link.where}: the reader was not ready within {SET_UP_S:g} s") from error
        self._desk.opened()
        while True:
            await self._next(link, decoder, setup)

    async def _next(self, link: TcpLink, decoder: MessageDecoder, setup: SetUp) -> None:
        """Take what the reader sends next. While the outbox refuses nothing more is taken, and the reader buffers."""
        piece = await link.read(SILENCE_S)
        if piece is None:
            raise RetryableError(f"{link.where}: the reader has fallen silent")
        self._desk.heard()
        try:
            for message in decoder.feed(piece):
                await self._take(message, setup)
                if setup.out:
                    data = bytes(setup.out)
                    setup.out.clear()
                    await link.write(data, WRITE_S)
        except DataError as error:
            await self._desk.keep(self._desk.events([Noise(error.code, piece)]))
            raise RetryableError(f"{link.where}: {error}") from error

    async def _take(self, message: Message, setup: SetUp) -> None:
        if message.kind == codec.RO_ACCESS_REPORT:
            await self._desk.keep(self._desk.events(self._reads(codec.tags_of(message))))
        elif message.kind == codec.KEEPALIVE:
            setup.out += codec.encode(codec.KEEPALIVE_ACK, message.number)
        else:
            if status := codec.attempt_of(message):
                raise BusyError(f"the reader refuses: another client is connected (status {status})")
            if not setup.done:
                setup.take(message)

    def _reads(self, tags: Sequence[Tag | Noise]) -> list[Found]:
        found: list[Found] = []
        for tag in tags:
            if isinstance(tag, Noise):
                found.append(tag)
                continue
            first = self._mono_ms() if tag.first is None else to_ms(tag.first)
            is_new = self._presence.is_new(tag.epc, tag.antenna, first)
            if tag.first is not None and tag.last is not None:
                self._presence.is_new(tag.epc, tag.antenna, to_ms(tag.last))
            if is_new:
                station, kind = self._antennas.place(tag.antenna)
                found.append(Read(tag.epc, "", tag.first, None, kind, None, station))
        return found


class BusyError(RetryableError):
    """Another client has the reader."""


async def _say_goodbye(link: TcpLink) -> None:
    with suppress(RetryableError):  # it is gone already
        await link.write(codec.encode(codec.CLOSE_CONNECTION, 1), 1.0)
