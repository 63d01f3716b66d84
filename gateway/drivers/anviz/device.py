"""One Anviz terminal that a person looks at."""

from collections.abc import AsyncIterator
from datetime import datetime

from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.anviz import codec
from gateway.drivers.anviz.codec import LogRow
from gateway.drivers.anviz.conversation import KEEP_ALIVE_S, Conversation
from gateway.drivers.anviz.reader import Reader
from gateway.drivers.anviz.settings import layout_of
from gateway.profile import device_zone
from shared.clock import Clocks
from shared.errors import ConfigError, DataError
from shared.keys import Event
from shared.punch import Flag


class AnvizDevice(Device):
    """One terminal that a person looks at."""

    family = "anviz"
    abilities = frozenset(Ability)

    def __init__(self, talk: Conversation, terminal: Terminal, clocks: Clocks, serial: str) -> None:
        self._talk, self._terminal, self._clocks = talk, terminal, clocks
        zone = device_zone(terminal.profile, terminal.config.zone, terminal.site_zone)
        self._reader = Reader(serial, terminal.profile, zone)

    async def info(self) -> DeviceInfo:
        """What the terminal says of itself."""
        counters, capacity = await self._talk.counters(), await self._talk.capacity()
        realtime = await self._talk.realtime()
        facts = {name: str(getattr(counters, name)) for name in ("fingers", "passwords", "cards", "new")}
        if realtime is not None:
            facts["realtime"] = "on" if realtime else "off"
        return DeviceInfo(
            serial=self._reader.serial,
            model=await self._talk.model() or None,
            firmware=await self._talk.firmware() or None,
            users=counters.users,
            user_capacity=capacity.users if capacity else None,
            log_used=counters.log,
            log_capacity=capacity.log if capacity else None,
            facts=facts,
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours; DataError when it shows an impossible time."""
        reading = await self._talk.clock(self._clocks.wall_ms)
        drift_ms = self._reader.drift_ms(reading)
        if reading.device is None or drift_ms is None:
            raise DataError("the clock shows an impossible time; set it", "bad_time")
        return DeviceClock(reading.device, reading.gateway_ms, drift_ms)

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive time of its zone."""
        await self._talk.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number."""
        people = [codec.user_of(record) async for record in self._records()]
        return [
            DeviceUser(str(user.number), user.name, str(user.card) if user.card else "")
            for user in sorted(people, key=lambda user: user.number)
        ]

    async def put_user(self, user: DeviceUser) -> None:
        """Add a user or change name and card; password and fingers are written back as they were read."""
        if not user.enabled:
            raise ConfigError(
                "the protocol of Anviz terminals knows no disabled users; delete the user at the terminal"
            )
        if not (user.number.isascii() and user.number.isdecimal() and 0 < int(user.number) < 1 << 40):
            raise ConfigError(f"user number {user.number!r}: Anviz terminals take 1 to {(1 << 40) - 1}")
        if user.card and not (user.card.isascii() and user.card.isdecimal()):
            raise ConfigError(f"card {user.card!r}: Anviz terminals take a decimal number")
        number = int(user.number)
        known = [record async for record in self._records() if codec.user_of(record).number == number]
        record = known[0] if known else codec.new_user(layout_of(self._terminal.profile), number)
        try:
            changed = codec.with_name_and_card(record, user.name, int(user.card or 0))
        except DataError as error:
            raise ConfigError(str(error)) from error
        if changed != record or not known:
            await self._talk.put_user(changed)

    async def _records(self) -> AsyncIterator[bytes]:
        wanted = (await self._talk.counters()).users
        async for record in self._talk.users(layout_of(self._terminal.profile), wanted):
            yield record

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log, oldest first; flags stay."""
        number = 1
        async for count, rows in self._talk.blocks(codec.FIRST_ALL, (await self._talk.counters()).log):
            for event in self._reader.events(rows, number, None, self._clocks.wall_ms(), 0):
                yield event
            number += count

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they happen, until the conversation is closed."""
        if await self._talk.realtime() is False:
            raise ConfigError("the terminal does not push: switch on its real-time mode (CrossChex, device parameters)")
        while True:
            await self._talk.listen(KEEP_ALIVE_S)
            while self._talk.heard:
                row = codec.decode_record(self._talk.heard.popleft())
                if isinstance(row, LogRow) and row.work_code < codec.USER_ADDED:
                    yield self._reader.punch(row, None, 0, flags=Flag.REALTIME)
            await self._talk.counters()  # keeps the session alive, and notices a terminal that is gone
