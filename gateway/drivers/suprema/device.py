"""What a person asks of a BioStar 2 server, and what its rows become."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway.device import Ability, Device, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.suprema.codec import PUNCHES, Item, Row
from gateway.drivers.suprema.conversation import BioStar
from gateway.profile import Profile
from gateway.transports.session_login import SessionLogin
from gateway.transports.source import Source
from shared.clock import Clocks, WallMs
from shared.keys import Event

FAMILY = "suprema"
ABILITIES = frozenset({Ability.INFO, Ability.USERS, Ability.LOG, Ability.WATCH})
WATCH_S = 2.0
SHOWN_DEVICES = 100


def is_punch(row: Row, profile: Profile) -> bool:
    """Whether somebody was let in: by the profile's list of events, else the family's; never without a user."""
    granted = profile.codes.granted
    known = row.main in PUNCHES if granted is None else row.code in granted or row.main in granted
    return known and bool(row.user)


def events_of_items(items: Iterable[Item], source: Source, now_ms: WallMs, seen_ms: int) -> list[Event]:
    """Punches and damaged rows; each carries the serial number of its own device. Times are UTC as the server has them.

    ``native_seq`` is the server's number: a device counts from 1 again after a factory reset, the server does not.
    """
    found: list[Event] = []
    for item in items:
        if not isinstance(item, Row):
            found.append(source.damaged(item.reason, item.raw, now_ms, seen_ms))
        elif is_punch(item, source.profile):
            found.append(
                replace(source, serial=item.device).punch(
                    item.user,
                    item.second,
                    (item.code, item.tna),
                    direction=source.profile.direction(item.tna),
                    method=source.profile.method(item.code),
                    offset_s=0,
                    native_seq=item.number,
                    seen_ms=seen_ms,
                )
            )
    return found


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Log in; the first question tells whether the password holds."""
    login = SessionLogin(terminal)
    async with login.client() as client:
        biostar = BioStar(client, login.account)
        users = await biostar.user_count()
        yield BioStarDevice(biostar, Source.of(terminal), clocks, users)


class BioStarDevice(Device):
    """One session with a server that stands for all of its devices."""

    family = FAMILY
    abilities = ABILITIES

    def __init__(self, biostar: BioStar, source: Source, clocks: Clocks, users: int | None) -> None:
        self._biostar, self._source, self._clocks, self._users = biostar, source, clocks, users

    async def info(self) -> DeviceInfo:
        """Users, and the devices by serial number."""
        devices = await self._biostar.devices()
        facts = {device.key: f"{device.name} {device.extra}".strip() for device in devices[:SHOWN_DEVICES]}
        return DeviceInfo(model="BioStar 2", users=self._users, facts={"devices": str(len(devices)), **facts})

    async def users(self) -> list[DeviceUser]:
        """Everybody whom the server knows, by number."""
        users = await self._biostar.users()
        return [DeviceUser(user.key, user.name, enabled=not user.extra) for user in sorted(users)]

    async def log(self) -> AsyncIterator[Event]:
        """Every event of the server, oldest first."""
        async for event in self._since(0):
            yield event

    async def watch(self) -> AsyncIterator[Event]:
        """Punches as they arrive at the server, asked for every other second."""
        since = self._clocks.wall_ms() // 1000
        known: set[Event] = set()
        while True:
            async for event in self._since(since):
                if event not in known:
                    known.add(event)
                    yield event
            await asyncio.sleep(WATCH_S)

    async def _since(self, first: int) -> AsyncIterator[Event]:
        seen: set[Item] = set()
        async for items in self._biostar.pages(first):
            for event in events_of_items(
                [item for item in items if item not in seen], self._source, self._clocks.wall_ms(), 0
            ):
                yield event
            seen = set(items)
