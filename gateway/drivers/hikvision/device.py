"""What a person asks of one terminal, and how it is recognised without a password."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, tzinfo

from gateway.config import TerminalConfig
from gateway.device import Ability, Device, DeviceClock, DeviceInfo, DeviceUser
from gateway.driver import Terminal
from gateway.drivers.hikvision import codec
from gateway.drivers.hikvision.codec import Clock, User
from gateway.drivers.hikvision.conversation import ALL_TIMES, Isapi
from gateway.drivers.hikvision.events import Reader
from gateway.profile import utc_offset_s
from gateway.transports.http_client import HttpClient, RefusedError, base_url, read_account
from gateway.transports.log_place import Place
from shared.clock import Clocks, WallMs, device_seconds
from shared.errors import ConfigError, MusterError
from shared.keys import Event

ABILITIES = frozenset(Ability)
FACTS = ("deviceName", "macAddress", "firmwareReleasedDate", "deviceType")
VALID = ("2020-01-01T00:00:00", "2037-12-31T23:59:59")
"""Validity of a user who has none yet; 2037 is the last year that 32-bit firmware knows."""
PROBE_S = 4.0


def client_of(terminal: Terminal) -> HttpClient:
    """The HTTP client of a configured terminal, not yet open."""
    config, link = terminal.config, terminal.profile.link
    return HttpClient(
        base_url(config, link.port), read_account(config), timeout_s=link.timeout_s, ca_file=config.ca_file
    )


@asynccontextmanager
async def open_device(terminal: Terminal, clocks: Clocks) -> AsyncIterator[Device]:
    """Log in; the first question tells whether the password holds."""
    async with client_of(terminal) as client:
        isapi = Isapi(client)
        device = await isapi.device()
        serial = codec.text_of(device, "serialNumber") or terminal.config.serial or terminal.config.name
        yield HikvisionDevice(isapi, Reader.of(terminal, serial), device, clocks)


class HikvisionDevice(Device):
    """One open conversation."""

    family = "hikvision"
    abilities = ABILITIES

    def __init__(self, isapi: Isapi, reader: Reader, device: codec.Node, clocks: Clocks) -> None:
        self._isapi, self._reader, self._device, self._clocks = isapi, reader, device, clocks

    async def info(self) -> DeviceInfo:
        """What deviceInfo says, and how many users and events there are."""
        facts = {name: codec.text_of(self._device, name)[:80] for name in FACTS}
        return DeviceInfo(
            serial=self._reader.serial,
            model=codec.text_of(self._device, "model")[:80] or None,
            firmware=codec.text_of(self._device, "firmwareVersion")[:80] or None,
            users=await self._isapi.user_count(),
            log_used=await self._isapi.total(ALL_TIMES),
            facts={name: value for name, value in facts.items() if value},
        )

    async def clock(self) -> DeviceClock:
        """Its clock beside ours."""
        before = self._clocks.wall_ms()
        clock = await self._isapi.clock()
        now_ms = (before + self._clocks.wall_ms()) // 2
        return DeviceClock(clock.wall, now_ms, drift_ms(clock, self._reader.zone, now_ms))

    async def set_clock(self, wall: datetime) -> None:
        """Set its clock by hand; ConfigError where it follows a time server."""
        await self._isapi.set_clock(wall)

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number."""
        users = await self._isapi.users()
        return [DeviceUser(u.number, u.name, enabled=u.enabled) for u in sorted(users, key=lambda u: u.number)]

    async def put_user(self, user: DeviceUser) -> None:
        """Add or change a user; faces, cards and rights that he has stay as they are."""
        if user.card:
            raise ConfigError(
                "cards of a Hikvision terminal are enrolled at the terminal, not from here; leave card empty"
            )
        known: dict[str, User] = {u.number: u for u in await self._isapi.users()}
        old = known.get(user.number)
        span = (old.begin or VALID[0], old.end or VALID[1]) if old else VALID
        content = codec.user_body(user.number, user.name, user.enabled, span, new=old is None)
        await self._isapi.put_user(content, new=old is None)

    async def log(self) -> AsyncIterator[Event]:
        """Everything in its log as the terminal sorts it."""
        async for page in self._isapi.pages(None, self._reader.granted):
            for event in self._reader.events(page.items, Place(), self._clocks.wall_ms(), 0):
                yield event

    async def watch(self) -> AsyncIterator[Event]:
        """Punches of the alertStream."""
        async with self._isapi.alerts() as pieces:
            async for parts in pieces:
                for part in parts:
                    items = codec.part_items(part, self._reader.granted)
                    for event in self._reader.events(items, Place(), self._clocks.wall_ms(), 0, live=True):
                        yield event


def drift_ms(clock: Clock, zone: tzinfo, now_ms: WallMs) -> int:
    """Terminal clock minus ours; the terminal shows whole seconds, half of one is added."""
    at = device_seconds(clock.wall)
    offset_s = utc_offset_s(zone, at) if clock.offset_s is None else clock.offset_s
    return (at - offset_s) * 1000 + 500 - now_ms


async def identify(host: str, port: int) -> DeviceInfo | None:
    """A server that refuses deviceInfo, and that only, for want of a login; None for anything else."""
    scheme = "https://" if port == 443 else ""
    try:
        config = TerminalConfig(name=host, profile="", host=f"{scheme}{host}", port=port)
        async with HttpClient(base_url(config), login="none", timeout_s=PROBE_S, trust_any=True) as client:
            try:
                reply = await client.get("/ISAPI/System/deviceInfo")
            except RefusedError as error:
                reply = error.reply
            else:
                return _open_info(reply.body) if reply.status == 200 else None
            challenge = reply.headers.get("www-authenticate", "")
            if "digest" not in challenge.lower() or "login to" in challenge.lower():
                return None
            try:
                await client.get("/muster-was-here")
            except RefusedError:
                return None  # it refuses everything: some other server
            facts = {"server": reply.headers.get("server", "")[:80]}
            return DeviceInfo(facts={name: value for name, value in facts.items() if value})
    except MusterError:
        return None


def _open_info(body: bytes) -> DeviceInfo:
    device = codec.device_of(body)
    return DeviceInfo(
        codec.text_of(device, "serialNumber") or None,
        codec.text_of(device, "model") or None,
        codec.text_of(device, "firmwareVersion") or None,
    )
