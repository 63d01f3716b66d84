"""Every family end to end in one installation: emulated devices, gateways, one server, and a count for each device."""

import asyncio
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo

from muster.demo.depot_broker import DepotBroker
from muster.demo.families import Make, missing_library, stands_of
from muster.demo.stand import SITE, Depot, Mark, Stand
from muster.demo.stop import stop_signal
from muster.stage.installation import Gateway, Installation, free_port, own_installation
from muster.stage.ledger import Ledger, Stored, Tally
from server.config import load_config
from server.services.company import Company, Site
from server.services.keys import open_database
from server.store import fleet_queries, tally_queries
from server.store.database import Database
from shared.clock import system_clocks

ZONE = "Asia/Shanghai"
KEPT, LIVE = 12, 8
"""Events of each device: those of the day before, and those that happen while everything runs."""
USERS = 5
PATIENCE_S = 25.0
"""How long nothing may move before what is missing counts as lost."""
ONLINE_S = 20.0
"""How long a device waits for its gateway before it goes on."""
SETTLE_S = 3.0
"""How long everything runs on when all is stored: something could still come twice."""
LOOK_S = 0.5
REACHED = frozenset({"online", "degraded"})


@dataclass(slots=True)
class Shown:
    """One device and how it fares."""

    family: str
    stand: Stand
    ledger: Ledger = field(default_factory=Ledger)
    tally: Tally = field(default_factory=lambda: Ledger().compare(Stored({}, {}, 0, 0)))
    state: str = "starting"
    problem: str | None = None
    online: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def good(self) -> bool:
        """It was reached, and nothing of it is lost or stored twice."""
        return self.tally.good and self.online.is_set() and self.tally.emitted > 0

    @property
    def name(self) -> str:
        """Of family and device."""
        return f"{self.family} {self.stand.label}".strip()

    async def give(self, mark: Mark, *, again: bool = False) -> None:
        """Note it and let it happen: nothing can be stored before it was noted."""
        stand = self.stand
        if stand.kind == "scanner":
            self.ledger.scan(stand.serial, stand.code(mark), mark.number)
        else:
            self.ledger.punch(stand.serial, mark.user, stand.second(mark))
        await (stand.give_again if again else stand.give)(mark)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A family that can not be shown here."""

    family: str
    reason: str


@dataclass(frozen=True, slots=True)
class Result:
    """All of it."""

    shown: Sequence[Shown]
    skipped: Sequence[Skipped]
    quarantined: int
    seconds: float
    folder: Path
    """Where everything lay; it is gone when all went well and nobody named one."""

    @property
    def good(self) -> bool:
        """Each family went through; no device sends anything that belongs into quarantine."""
        return all(one.good for one in self.shown) and self.quarantined == 0


Tell: TypeAlias = Callable[[Sequence[Shown]], None]


async def run_families(families: Mapping[str, tuple[Make, ...]], folder: Path | None, tell: Tell) -> Result:
    """Run those families; ``tell`` hears how each fares. MusterError when a process dies."""
    began = time.monotonic()
    skipped = [Skipped(family, reason) for family in families if (reason := missing_library(family)) is not None]
    missing = {one.family for one in skipped}
    home = (folder or Path(tempfile.mkdtemp(prefix="muster-families-"))).resolve()
    installation = own_installation(home, ZONE)
    depot = _depot(home, families)
    shown = [
        Shown(family, stand)
        for family, stand in stands_of({f: m for f, m in families.items() if f not in missing}, depot)
    ]
    with stop_signal() as stop:
        async with _running(installation, depot, shown) as db:
            quarantined = await _Fair(installation, db, shown, tell).run(stop)
    result = Result(shown, skipped, quarantined, time.monotonic() - began, home)
    if folder is None and result.good:
        shutil.rmtree(home, ignore_errors=True)
    return result


def _depot(home: Path, families: Mapping[str, tuple[Make, ...]]) -> Depot:
    devices = home / "devices"
    devices.mkdir()
    return Depot(devices, {family: free_port() for family in families}, free_port(), ZoneInfo(ZONE))


@asynccontextmanager
async def _running(installation: Installation, depot: Depot, shown: Sequence[Shown]) -> AsyncIterator[Database]:
    """Everything is switched on, in the order of a depot: devices first, they have a past."""
    async with AsyncExitStack() as stack:
        broker = DepotBroker(depot.broker_port)
        await broker.start()
        stack.push_async_callback(broker.stop)
        for one in shown:
            await one.stand.start()
            stack.push_async_callback(one.stand.stop)
        for one in shown:
            if one.stand.keeps:
                for mark in marks(depot, live=False):
                    await one.give(mark)
        company = Company(sites=(Site(id=SITE, name_zh="全家福", name_en="Every family", zone=ZONE),))
        await installation.prepare(company, _gateways(depot, shown), ZONE, system_clocks().wall_ms())
        stack.push_async_callback(installation.stop)
        await installation.start_server()
        await installation.start_gateways()
        db = open_database(load_config(installation.server_settings))
        stack.push_async_callback(db.close)
        yield db


def _gateways(depot: Depot, shown: Sequence[Shown]) -> list[Gateway]:
    """One for terminals that are asked, one for those that call, one for scanners; families are not split."""
    groups: dict[str, list[Shown]] = {}
    leads: dict[str, Stand] = {}
    for one in shown:
        lead = leads.setdefault(one.family, one.stand)
        asked = "terminals that are asked" if lead.waits else "terminals that call"
        groups.setdefault("scanners" if lead.kind == "scanner" else asked, []).append(one)
    return [
        Gateway(
            kind,
            SITE,
            tuple(one.stand.device(one.name) for one in ours),
            {one.family: depot.ports[one.family] for one in ours if one.stand.pushes},
        )
        for kind, ours in groups.items()
    ]


def marks(depot: Depot, *, live: bool) -> list[Mark]:
    """What happened the day before, or what happens in this minute; each second once."""
    now = depot.now()
    morning = (now - timedelta(days=1)).replace(hour=8, minute=0, second=0)
    first, count = (KEPT + 1, LIVE) if live else (1, KEPT)
    return [
        Mark(
            number,
            str(1001 + number % USERS),
            now - timedelta(seconds=4 * (KEPT + LIVE + 1 - number))
            if live
            else morning + timedelta(minutes=37 * number, seconds=number),
            f"YT{90_000_000_000_00 + number:013}",
        )
        for number in range(first, first + count)
    ]


@dataclass(frozen=True, slots=True)
class _Fair:
    """Everything runs."""

    installation: Installation
    db: Database
    shown: Sequence[Shown]
    tell: Tell

    async def run(self, stop: asyncio.Event) -> int:
        """Until all is stored and has settled, nothing moves any more, or ``stop``; rows in quarantine."""
        giving = asyncio.gather(*(self._live(one) for one in self.shown))
        before: object = None
        moved, done_s, quarantined = time.monotonic(), 0.0, 0
        try:
            while not stop.is_set() and done_s < SETTLE_S and time.monotonic() - moved < PATIENCE_S:
                self.installation.check()
                if giving.done():
                    giving.result()
                quarantined = await self._look()
                self.tell(self.shown)
                now = [(one.tally, one.online.is_set()) for one in self.shown]
                if now != before:
                    before, moved = now, time.monotonic()
                done = giving.done() and all(one.good for one in self.shown)
                done_s = done_s + LOOK_S if done else 0.0
                await asyncio.sleep(LOOK_S)
            return quarantined
        finally:
            giving.cancel()
            await asyncio.gather(giving, return_exceptions=True)

    async def _live(self, one: Shown) -> None:
        """What happens at one device while everything runs; what it had no log for comes first."""
        if one.stand.waits:
            try:
                async with asyncio.timeout(ONLINE_S):
                    await one.online.wait()
            except TimeoutError:
                pass  # told in the end: it never came online
        earlier = [] if one.stand.keeps else marks(one.stand.depot, live=False)
        happening = marks(one.stand.depot, live=True)
        for mark in [*earlier, *happening]:
            await one.give(mark)
        if one.stand.repeats:
            await one.give(happening[-1], again=True)

    async def _look(self) -> int:
        serials = [one.stand.serial for one in self.shown]
        async with self.db.reading() as connection:
            punches = await tally_queries.punch_counts(connection, serials)
            scans = await tally_queries.scan_counts(connection, serials)
            quarantined = await tally_queries.quarantined(connection, self.installation.gateway_ids)
            rows = {row.serial: row.health for row in await fleet_queries.terminal_rows(connection)}
        for one in self.shown:
            serial = one.stand.serial
            ours = Stored(
                Counter({key: times for key, times in punches.items() if key[0] == serial}),
                Counter({key: times for key, times in scans.items() if key[0] == serial}),
                0,
                0,
            )
            one.tally = one.ledger.compare(ours)
            if (health := rows.get(serial)) is not None:
                one.state, one.problem = health.state, health.problem
            if one.state in REACHED:
                one.online.set()
            one.stand.tick()
        return quarantined
