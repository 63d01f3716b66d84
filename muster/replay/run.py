"""Feeds recorded data through emulated devices, a gateway and MQTT into a server, and waits for the results."""

import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from muster.stage.drain import Progress, Sources, drain
from muster.stage.installation import Gateway, Installation, own_installation
from muster.stage.ledger import Ledger
from server.config import load_config
from server.services.keys import open_database
from shared.clock import system_clocks

if TYPE_CHECKING:
    from server.services.company import Company

PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Target:
    """Where the data goes: a server that runs already, or one of our own in ``folder`` (a temporary one if None)."""

    zone: str
    running: Path | None = None
    """Settings of a server that runs already."""
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Replay:
    """What is fed: who, through which gateway, and how."""

    company: "Company"
    gateway: Gateway
    feed: Callable[[], Awaitable[None]]
    ledger: Ledger
    terminals: tuple[str, ...] = ()
    stations: tuple[str, ...] = ()


Make: TypeAlias = Callable[[AsyncExitStack], Awaitable[Replay]]
"""Switches devices on and says what is fed; the stack switches them off."""


async def run_replay(make: Make, target: Target, tell: Callable[[Progress], None]) -> Progress:
    """Switch the devices on, feed, wait for the results; the last count."""
    async with AsyncExitStack() as devices, _installation(target) as installation:
        replay = await make(devices)
        await installation.prepare(replay.company, [replay.gateway], target.zone, system_clocks().wall_ms())
        await installation.start_server()
        await installation.start_gateways()
        db = open_database(load_config(installation.server_settings))
        try:
            await replay.feed()
            sources = Sources(replay.terminals, replay.stations, installation.gateway_ids)
            done = await drain(db, replay.ledger, sources, PATIENCE_S, tell)
        finally:
            await db.close()
            await installation.stop()
    return done


@asynccontextmanager
async def _installation(target: Target) -> AsyncIterator[Installation]:
    """Somebody's server with a gateway of ours, or all of it ours; a temporary folder goes at the end."""
    with contextlib.ExitStack() as stack:
        folder = target.folder
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="muster-replay-"))
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if target.running is None:
            yield own_installation(folder.resolve(), target.zone)
        else:
            yield Installation(folder.resolve(), target.running, None)
