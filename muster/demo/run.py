"""The demo from an empty folder to the count at the end."""

import asyncio
import contextlib
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from muster.business.company import Business, make_business
from muster.business.connect import Answering, add_secret, answering, connect, go_on, push_all
from muster.business.past import close_past
from muster.demo.life import Life
from muster.demo.plan import gateways
from muster.demo.screen import Screen
from muster.demo.stop import stop_signal
from muster.sample.company import DEMO_LOGINS, sample_company
from muster.sample.history import make_sample
from muster.sample.settle import HR, settle, viewers_of
from muster.stage.drain import Progress, Sources, drain, look
from muster.stage.installation import Installation, free_port, own_installation
from muster.stage.ledger import Ledger
from server.config import load_config
from server.services.keys import open_database
from server.store.database import Database
from shared.clock import from_ms, system_clocks
from shared.errors import MusterError

ZONE = "Asia/Shanghai"
PATIENCE_S = 30.0
"""How long nothing may move at the end before what is missing counts as lost."""
LOOK_S = 1.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line said; ``seconds`` is None to run until a signal comes."""

    seconds: float | None
    http_port: int
    folder: Path | None
    """Kept at the end; a temporary one is not."""
    seed: int
    day_s: float
    """In how many seconds the day is lived through."""


async def run_demo(options: Options, screen: Screen) -> Progress:
    """Set up, run, stop; the last count. MusterError when a process dies or the folder is not empty."""
    folder = options.folder or Path(tempfile.mkdtemp(prefix="muster-demo-"))
    try:
        done = await _in_folder(folder.resolve(), options, screen)
    except MusterError:
        screen.say(f"logs are in {folder / 'logs'}")
        raise
    if options.folder is None and done.tally.good:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        screen.say(f"kept: {folder}")
    return done


async def _in_folder(folder: Path, options: Options, screen: Screen) -> Progress:
    now_ms = system_clocks().wall_ms()
    sample = make_sample(from_ms(now_ms).astimezone(ZoneInfo(ZONE)).date(), options.seed)
    password = f"muster-{secrets.token_hex(3)}"
    installation = own_installation(folder, ZONE, options.http_port)
    secret = add_secret(installation.server_settings)
    push_port = free_port()
    life = Life(sample, ZONE, folder, push_port, Ledger())
    company = sample_company(sample, password, ZONE)
    with stop_signal() as stop:
        await life.start()
        try:
            with screen.step("people, gateways and terminals"):
                await installation.prepare(company, gateways(life, push_port), ZONE, now_ms)
            with screen.step("shifts, leave and requests"):
                async with _database(installation) as db:
                    await settle(db, load_config(installation.server_settings), sample, now_ms)
            with screen.step("server with embedded broker"):
                await installation.start_server()
            with screen.step("three gateways"):
                await installation.start_gateways()
            screen.address(installation.url, sample, DEMO_LOGINS, password)
            business = make_business(sample.people, sample.day, options.seed, sample.parcels)
            async with _database(installation) as db, answering(business, free_port()) as answering_systems:
                systems = _Systems(installation, db, business, answering_systems, secret)
                return await _Show(installation, life, systems, options, screen).until(stop)
        finally:
            await life.stop()
            with screen.step("stopping"):
                await installation.stop()


@dataclass(frozen=True, slots=True)
class _Systems:
    """The business systems, connected while everything runs."""

    installation: Installation
    db: Database
    business: Business
    answering: Answering
    secret: str

    async def live(self, screen: Screen) -> None:
        """Connect, send the history, and go on with what happens, until cancelled."""
        config = load_config(self.installation.server_settings)
        start = time.monotonic()
        await connect(self.db, config, self.business, self.answering.url, self.installation.folder)
        await push_all(self.installation.url, self.secret, self.business, screen.sent)
        screen.done("business systems connected", time.monotonic() - start)

        def told(periods: int) -> None:
            screen.done(f"a year of history read, its {periods} periods scored and closed", time.monotonic() - start)

        viewer = (await viewers_of(self.db))[HR]
        async with asyncio.TaskGroup() as group:
            group.create_task(close_past(self.db, viewer, self.business.span, told))
            group.create_task(go_on(self.installation.url, self.secret, self.business, self.answering.systems))


@dataclass(frozen=True, slots=True)
class _Show:
    """Everything runs; the company lives and is counted."""

    installation: Installation
    life: Life
    systems: _Systems
    options: Options
    screen: Screen

    async def until(self, stop: asyncio.Event) -> Progress:
        """Live until ``stop`` or for so many seconds; then wait for all that is on its way, and count."""
        sources = Sources(
            [door.serial for door in self.life.doors],
            [self.life.dock.serial, self.life.deliveries.serial],
            self.installation.gateway_ids,
        )
        db = self.systems.db
        living = asyncio.create_task(self.life.live(self.options.day_s))
        trading = asyncio.create_task(self.systems.live(self.screen))
        try:
            with self.screen.counting() as count:
                end = None if self.options.seconds is None else time.monotonic() + self.options.seconds
                while not stop.is_set() and (end is None or time.monotonic() < end):
                    self.installation.check()
                    for task in (living, trading):
                        if task.done():
                            task.result()
                    count(await look(db, self.life.ledger, sources))
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(stop.wait(), LOOK_S)
                for task in (living, trading):
                    task.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await task
                return await drain(db, self.life.ledger, sources, PATIENCE_S, count)
        finally:
            living.cancel()
            trading.cancel()


@asynccontextmanager
async def _database(installation: Installation) -> AsyncIterator[Database]:
    db = open_database(load_config(installation.server_settings))
    try:
        yield db
    finally:
        await db.close()
