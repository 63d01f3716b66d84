"""One ZK terminal that a person looks at, and how one is recognised."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import TypeVar

from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.codec import FrameDecoder, LogRow, Packet
from gateway.drivers.zk4370.conversation import Conversation, Identity
from gateway.drivers.zk4370.reader import Reader
from gateway.drivers.zk4370.settings import NO_REALTIME, address_of, key_of, layout_of
from gateway.drivers.zk4370.waiting import readable
from gateway.profile import device_zone
from gateway.transports.tcp import TcpLink
from shared.clock import EPOCH, Clocks
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event

T = TypeVar("T")
FACTS = ("~DeviceName", "~Platform", "~OEMVendor", "~ZKFPVersion", "WorkCode")
KEEP_ALIVE_S = 20.0
IDENTIFY_S = 3.0


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Connect and prove the key; the terminal is left enabled and its one session free."""
    config, profile = terminal.config, terminal.profile
    talk = Conversation(address_of(config, profile), key_of(config), layout_of(profile), clocks.wall_ms)
    thread = ThreadPoolExecutor(1, thread_name_prefix=config.name)
    device = ZkDevice(talk, thread, terminal, clocks)
    try:
        await device.connect()
        yield device
    finally:
        talk.interrupt()
        try:
            await asyncio.shield(asyncio.wrap_future(thread.submit(talk.close)))
        finally:
            thread.shutdown(wait=False)


class ZkDevice(Device):
    """One open conversation."""

    family = "zk4370"
    abilities = frozenset(Ability)

    def __init__(self, talk: Conversation, thread: ThreadPoolExecutor, terminal: Terminal, clocks: Clocks) -> None:
        self._talk, self._thread, self._terminal, self._clocks = talk, thread, terminal, clocks
        self._identity = Identity(None, None)
        self._reader = self._reader_of(terminal.config.serial or terminal.config.name)

    def _reader_of(self, serial: str) -> Reader:
        terminal = self._terminal
        zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        return Reader(serial, terminal.profile, zone)

    async def connect(self) -> None:
        """Open the session."""
        self._identity = await self._blocking(self._talk.open)
        if self._identity.serial:
            self._reader = self._reader_of(self._identity.serial)

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        counters = await self._blocking(self._talk.read_counters)
        found = {name: await self._blocking(partial(self._talk.option, name)) for name in FACTS}
        return DeviceInfo(
            serial=self._identity.serial,
            model=found.pop("~DeviceName"),
            firmware=self._identity.firmware,
            users=counters.users,
            user_capacity=counters.user_capacity or None,
            log_used=counters.log,
            log_capacity=counters.log_capacity or None,
            facts={name.lstrip("~"): value for name, value in found.items() if value},
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours; DataError when it shows an impossible date."""
        reading = await self._blocking(self._talk.read_clock)
        drift_ms = self._reader.drift_ms(reading)
        if reading.device is None or drift_ms is None:
            raise DataError("the clock shows an impossible date; set it", "bad_time")
        wall = EPOCH.replace(tzinfo=None) + (datetime.fromtimestamp(reading.device, EPOCH.tzinfo) - EPOCH)
        return DeviceClock(wall, reading.gateway_ms, drift_ms)

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive time of its zone."""
        await self._blocking(lambda: self._talk.set_clock(wall))

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number."""
        members = await self._blocking(self._talk.members)
        people = [DeviceUser(m.user, m.name, str(m.card) if m.card else "", m.enabled) for m in members]
        return sorted(people, key=lambda user: (len(user.number), user.number))

    async def put_user(self, user: DeviceUser) -> None:
        """Add a user or change name, card and right to punch; password and fingers stay."""
        if user.card and not (user.card.isascii() and user.card.isdecimal()):
            raise ConfigError(f"card {user.card!r}: ZK terminals take a decimal number")
        try:
            await self._blocking(
                lambda: self._talk.put_member(user.number, user.name, int(user.card or 0), enabled=user.enabled)
            )
        except DataError as error:
            raise ConfigError(str(error)) from error

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first; the terminal is locked while it is read."""
        image = await self._blocking(self._talk.read_log)
        now_ms = self._clocks.wall_ms()
        rows = codec.decode_log(image.records, image.size, image.users)
        for number, row in enumerate(rows, 1):
            if isinstance(row, LogRow):
                yield self._reader.punch(row, None, 0, number)
            else:
                yield self._reader.damaged(row, now_ms, 0)

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they happen, until the conversation is closed."""
        if NO_REALTIME in self._terminal.profile.quirks:
            raise ConfigError("this firmware does not report punches as they happen; look at its log instead (pull)")
        await self._blocking(self._talk.register)
        link = self._talk.link
        while True:
            link.listen()
            if not link.heard:
                before = self._clocks.mono_ms()
                await readable(link, KEEP_ALIVE_S)
                if self._clocks.mono_ms() - before >= KEEP_ALIVE_S * 1000:
                    await self._blocking(self._talk.read_counters)  # a silent session dies
                continue
            while link.heard:
                try:
                    row = codec.decode_event(link.heard.popleft())
                except DataError:
                    continue  # the log has it
                yield self._reader.punch(row, None, 0)

    async def _blocking(self, work: Callable[[], T]) -> T:
        """Its result from the terminal's thread; when cancelled the work is told to stop, and has, on return."""
        future = asyncio.wrap_future(self._thread.submit(work))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._talk.interrupt()
            await asyncio.wait([future])
            future.exception()
            raise


async def identify(host: str, port: int) -> DeviceInfo | None:
    """Open a session and ask for serial number, model and firmware; one that wants a key tells nothing but that."""
    try:
        async with await TcpLink.connect(host, port, IDENTIFY_S) as link:
            ask = _Question(link)
            answer = await ask(codec.CONNECT)
            if answer.command not in (codec.OK, codec.UNAUTHORISED):
                return None
            if answer.command == codec.UNAUTHORISED:
                return DeviceInfo(facts={"key": "wanted"})
            serial, model = [
                codec.decode_option((await ask(codec.OPTIONS, name.encode() + b"\0")).data, name)
                for name in ("~SerialNumber", "~DeviceName")
            ]
            firmware = codec.decode_text((await ask(codec.GET_VERSION)).data)
            await ask(codec.EXIT)
            return DeviceInfo(serial=serial, model=model, firmware=firmware)
    except MusterError:
        return None


class _Question:
    """One request and its answer at a time."""

    def __init__(self, link: TcpLink) -> None:
        self._link, self._frames = link, FrameDecoder()
        self._session = 0
        self._reply = -1

    async def __call__(self, command: int, data: bytes = b"") -> Packet:
        self._reply += 1
        packet = codec.encode_packet(command, self._session, self._reply, data)
        await self._link.write(codec.encode_frame(packet), IDENTIFY_S)
        while True:
            chunk = await self._link.read(IDENTIFY_S)
            if chunk is None:
                raise RetryableError(f"{self._link.where}: no answer")
            for payload in self._frames.feed(chunk):
                answer = codec.decode_packet(payload)
                if answer.reply == self._reply and answer.command != codec.EVENT:
                    self._session = answer.session
                    return answer
