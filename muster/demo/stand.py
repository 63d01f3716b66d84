"""One emulated device of one family, as it stands in the depot where every family is shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from muster.stage.installation import HOST, Device
from shared.clock import from_ms, system_clocks

GROUP = "families"
SITE = "depot"
LOGIN = "admin:Muster-1234"
"""Of every emulated terminal that wants one."""
KEY = "5ecc2d0a7f1b4c0e9d3b6a1178f0c9aa"
"""Of every emulated device that signs what it says."""

Settings = dict[str, str | int | float]


@dataclass(frozen=True, slots=True)
class Depot:
    """What the devices find around them."""

    folder: Path
    """Where lines, key strokes and export files appear."""
    ports: Mapping[str, int]
    """Where the gateway listens, by family."""
    broker_port: int
    """Of the depot's own broker, not of the one that leads to the server."""
    zone: ZoneInfo

    def now(self) -> datetime:
        """What a right clock on the wall shows."""
        return from_ms(system_clocks().wall_ms()).astimezone(self.zone).replace(tzinfo=None, microsecond=0)

    def utc_s(self, wall: datetime) -> int:
        """That naive time of the depot's zone in seconds since 1970."""
        return int(wall.replace(tzinfo=self.zone).timestamp())

    def utc(self, wall: datetime) -> datetime:
        """The same, aware."""
        return datetime.fromtimestamp(self.utc_s(wall), UTC)


@dataclass(frozen=True, slots=True)
class Mark:
    """What somebody does at a device: a punch at a terminal, a scan at a scanner."""

    number: int
    """From 1, at each device."""
    user: str
    at: datetime
    """Naive, in the depot's zone."""
    code: str


class Stand:
    """A device and what the gateway has to know of it. A family overrides what differs."""

    kind: ClassVar[Literal["terminal", "scanner"]] = "terminal"
    keeps: ClassVar[bool] = True
    """It has a log of its own: what happens before the gateway starts is not lost."""
    waits: ClassVar[bool] = False
    """What it tells as it happens reaches only a gateway that is connected."""
    pushes: ClassVar[bool] = False
    """It calls the gateway, which opens a port for its family."""
    repeats: ClassVar[bool] = True
    """It gives some events twice."""

    def __init__(self, depot: Depot, serial: str, profile: str, *, label: str = "", key: str = "") -> None:
        self.depot = depot
        self.serial = serial
        """Under which the server stores its events."""
        self.profile = profile
        self.label = label
        """Tells two of a family apart."""
        self.key = key

    async def start(self) -> None:
        """Switch it on."""

    async def stop(self) -> None:
        """Switch it off."""

    def tick(self) -> None:
        """Time passes: for those whose emulated clock stands still."""

    def settings(self) -> Settings:
        """Its part of the gateway's settings, once it is switched on."""
        return {}

    def code(self, mark: Mark) -> str:
        """What a scanner reads then, as the server stores it."""
        return mark.code

    def second(self, mark: Mark) -> datetime:
        """What a terminal's clock shows then, as the server stores it."""
        return mark.at

    async def give(self, mark: Mark) -> None:
        """Let it happen; returns once the device will not lose it any more."""
        raise NotImplementedError

    async def give_again(self, mark: Mark) -> None:
        """What this device repeats; most write a second row of the same second."""
        await self.give(mark)

    def device(self, name: str) -> Device:
        """Its entry in a plan."""
        settings: Settings = {"poll_s": 1.0, **self.settings()}
        return Device(self.serial, name, SITE, self.profile, GROUP, self.kind, settings, self.key)


def address(port: int) -> Settings:
    """Where a device listens."""
    return {"host": HOST, "port": port}
