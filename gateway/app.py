"""Wiring of the gateway process: outbox first, then drivers, then the link to the server; and how it all stops."""

import asyncio
import logging
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache

import structlog

from gateway.buffer.outbox import Outbox
from gateway.config import GatewayConfig
from gateway.device import Ability, Device, Manager
from gateway.directory.executor import Directory, Reach
from gateway.driver import Driver, DriverContext, DriverTask, Sink, Terminal, TerminalState
from gateway.health.machine import clock_synced, free_bytes, machine_id
from gateway.health.metrics import Figures, serve
from gateway.health.report import health_of, save
from gateway.profile import Profile, load_profile
from gateway.supervisor import Supervisor, keep_running
from gateway.sync.client import SyncClient
from gateway.sync.session import Facts
from shared.clock import Clocks, from_ms, system_clocks
from shared.errors import ConfigError, RetryableError
from shared.wire import Health

DRIVERS_STOP_S = 4.0
"""For a driver to finish what it is putting; the rest of the 10 s belongs to link and outbox."""
LINK_STOP_S = 3.0
CLOCK_SET_MS = 500
"""A wall clock that moves this far against the monotonic one was set."""

log = structlog.get_logger("gateway")


@dataclass(frozen=True, slots=True)
class Fleet:
    """The configured terminals: their live state and the conversations that work."""

    states: list[TerminalState] = field(default_factory=list)
    tasks: list[DriverTask] = field(default_factory=list)
    problems: list[tuple[TerminalState, ConfigError]] = field(default_factory=list)
    """Terminals that wait for a person, and why."""
    terminals: list[Terminal] = field(default_factory=list)
    """Those that work, as far as can be known before they are reached."""
    drivers: dict[str, Driver] = field(default_factory=dict)
    """By family."""
    present: dict[str, Device] = field(default_factory=dict)
    """Push terminals that can be talked to now, by serial."""

    def park(self, state: TerminalState, problem: str, error: ConfigError) -> None:
        """Show that this terminal waits for a person."""
        state.state, state.problem = "config_error", problem
        self.problems.append((state, error))

    def show(self, serial: str, device: object | None) -> None:
        """A push terminal can be talked to, or no longer."""
        if isinstance(device, Device):
            self.present[serial] = device
        else:
            self.present.pop(serial, None)


async def run(config: GatewayConfig, clocks: Clocks | None = None, stop: asyncio.Event | None = None) -> None:
    """Run until SIGTERM, SIGINT or ``stop``; ends within 10 s, with everything committed that was taken."""
    clocks, stop = clocks or system_clocks(), stop or asyncio.Event()
    with _signals(stop):
        outbox = Outbox.open(config.data, config.buffer, clocks)
        try:
            if outbox.reread_from_ms is not None:
                log.warning("terminals_read_again", since=from_ms(outbox.reread_from_ms).isoformat())
            fleet = build_fleet(config, outbox, clocks, outbox.seen_ms)
            for state, error in fleet.problems:
                log.warning("parked", terminal=state.name, reason=str(error))
            supervisor = Supervisor(fleet.tasks)
            link = SyncClient(
                config,
                outbox,
                clocks,
                _facts(config, outbox, clocks),
                commands=lambda command: directory.accept(command),  # noqa: PLW0108 - it exists only afterwards
            )
            directory = Directory(fleet.terminals, _reach(fleet, supervisor, clocks), link.publish_result, clocks)
            log.info("ready", gateway=config.id, terminals=len(fleet.states))
            report = _Reporter(config, outbox, fleet, link, clocks)
            await _run_until(stop, supervisor, _Others(link, report, directory))
        finally:
            await outbox.close()
    log.info("stopped", gateway=config.id)


@dataclass(frozen=True, slots=True)
class _Others:
    """What runs beside the drivers."""

    link: SyncClient
    report: "_Reporter"
    directory: Directory


async def _run_until(stop: asyncio.Event, supervisor: Supervisor, parts: _Others) -> None:
    draw = random.SystemRandom()
    drivers = asyncio.create_task(supervisor.run(), name="drivers")
    others = [
        asyncio.create_task(keep_running("link", parts.link.run, draw), name="link"),
        asyncio.create_task(keep_running("health", parts.report.run, draw), name="health"),
        asyncio.create_task(keep_running("directory", parts.directory.run, draw), name="directory"),
        asyncio.create_task(parts.report.serve_metrics(draw), name="metrics"),
    ]
    try:
        await stop.wait()
        log.info("stopping")
    finally:
        await _end([drivers], DRIVERS_STOP_S)  # first of all nothing new is taken
        await _end(others, LINK_STOP_S)


async def _end(tasks: Sequence[asyncio.Task[None]], within_s: float) -> None:
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=within_s)
    if late:
        log.warning("stopped_late", parts=[task.get_name() for task in late])


# --- terminals ------------------------------------------------------------------------------------------------------


def build_fleet(config: GatewayConfig, sink: Sink, clocks: Clocks, seen_ms: Callable[[], int]) -> Fleet:
    """Profiles and drivers of all configured terminals; one that can not work is parked and the others run."""
    fleet = Fleet()
    families: dict[str, list[Terminal]] = {}
    for terminal_config in config.terminal:
        state = TerminalState(terminal_config.name, terminal_config.profile, terminal_config.serial)
        fleet.states.append(state)
        try:
            profile = load_profile(terminal_config.profile)
        except ConfigError as error:
            fleet.park(state, "bad_profile", error)
            continue
        terminal = Terminal(terminal_config, profile, config.zone, state)
        families.setdefault(profile.family, []).append(terminal)
    for family, terminals in families.items():
        context = DriverContext(sink, clocks, seen_ms, config.push.get(family), _discovered, fleet.show)
        _add_family(fleet, family, terminals, context)
    return fleet


def _add_family(fleet: Fleet, family: str, terminals: Sequence[Terminal], context: DriverContext) -> None:
    """The conversations of one family; terminals whose settings can not work are parked and left out."""
    try:
        driver = load_driver(family)
    except ConfigError as error:
        for terminal in terminals:
            fleet.park(terminal.state, "no_driver", error)
        return
    fleet.drivers[family] = driver
    good = []
    for terminal in terminals:
        try:
            check_quirks(driver, terminal.profile)
            driver.tasks([terminal], context)
            good.append(terminal)
        except ConfigError as error:
            fleet.park(terminal.state, "config_error", error)
    try:
        fleet.tasks.extend(driver.tasks(good, context) if good else [])
        fleet.terminals.extend(good)
    except ConfigError as error:  # each is fine by itself, but two claim one serial or one port
        for terminal in good:
            fleet.park(terminal.state, "config_error", error)


def check_quirks(driver: Driver, profile: Profile) -> None:
    """ConfigError when the profile asks for something that its driver does not know."""
    if unknown := set(profile.quirks) - driver.quirks:
        known = ", ".join(sorted(driver.quirks)) or "none"
        raise ConfigError(
            f"profile {profile.brand}/{profile.model}: quirks {', '.join(sorted(unknown))} are unknown to "
            f"{driver.family}, which knows {known}"
        )


def load_driver(family: str) -> Driver:
    """The driver installed for that family; ConfigError says what to install."""
    from importlib.metadata import entry_points  # only here, and only for families in use

    found = entry_points(group="muster.drivers", name=family)
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group="muster.drivers")})) or "none"
        raise ConfigError(f"no driver for family {family!r}; installed are {known}")
    try:
        driver: Driver = next(iter(found)).load()
    except ModuleNotFoundError as error:
        extra = "zk" if error.name == "zk" else "gateway"
        raise ConfigError(
            f"driver {family} needs {error.name}, which is not installed: pip install 'muster[{extra}]'"
        ) from error
    return driver


def _reach(fleet: Fleet, supervisor: Supervisor, clocks: Clocks) -> Reach:
    """How to talk to a terminal from here: our own call where its family lets us, else over the call it has made."""

    @asynccontextmanager
    async def reach(terminal: Terminal) -> AsyncIterator[Device]:
        driver, name = fleet.drivers[terminal.profile.family], terminal.config.name
        if device_here := fleet.present.get(terminal.state.serial or name):
            yield device_here
        elif isinstance(driver, Manager) and not getattr(driver, "calls_us", False):
            async with supervisor.borrowed(name), driver.open(terminal, clocks) as device:
                yield device
        elif Ability.USERS in getattr(driver, "abilities", ()):
            raise RetryableError(f"terminal {name} has not called now")
        else:
            raise ConfigError(f"a terminal of family {driver.family} can not be talked to from here")

    return reach


@lru_cache(maxsize=1000)  # a device knocks every few seconds: one line each is enough
def _discovered(family: str, serial: str) -> None:
    log.warning("unknown_device", family=family, serial=serial, hint="add it to gateway.toml as a [[terminal]]")


# --- health ---------------------------------------------------------------------------------------------------------


class _Reporter:
    """Sends health while there is a link and keeps a copy for ``muster gateway status``."""

    def __init__(self, config: GatewayConfig, outbox: Outbox, fleet: Fleet, link: SyncClient, clocks: Clocks) -> None:
        self._config, self._outbox, self._fleet, self._link, self._clocks = config, outbox, fleet, link, clocks
        self._dropped = 0
        self._software = software()
        self._clock = (False, 0)
        self._shown: dict[str, tuple[str, str | None]] = {}

    async def serve_metrics(self, draw: random.Random) -> None:
        """Answer Prometheus where ``[metrics]`` says so; a port that is taken is tried again."""
        config = self._config.metrics
        if config is None:
            return
        figures = Figures(
            self._now, lambda: self._link.greeted, lambda: [state.failures for state in self._fleet.states]
        )
        try:
            await keep_running("metrics", lambda: serve(config, figures, self._clocks.wall_ms), draw)
        except ConfigError as error:
            log.warning("no_metrics", reason=str(error))

    def _now(self) -> Health:
        return health_of(
            clocks=self._clocks,
            software=self._software,
            stats=self._outbox.stats(),
            terminals=self._fleet.states,
            alarms=self._link.alarms,
            dropped=self._dropped,
        )

    def _log_changes(self) -> None:
        """One line for each terminal whose state or problem is another than at the last report."""
        for state in self._fleet.states:
            shown, problem = now = state.shown()
            was, _ = before = self._shown.get(state.name, ("starting", None))
            if now != before:
                say = log.info if shown in ("online", "starting") else log.warning
                say("terminal_state", terminal=state.name, state=shown, problem=problem, was=was)
            self._shown[state.name] = now

    async def run(self) -> None:
        """Report every ``health_s``, the first time soon after the start."""
        await asyncio.sleep(min(1.0, self._config.health_s))
        while True:
            await self._look_at_clock()
            self._log_changes()
            health = self._now()
            if not await self._link.publish_health(health):
                self._dropped += 1
            save(health, self._config.data)
            await asyncio.sleep(self._config.health_s)

    async def _look_at_clock(self) -> None:
        """Tie the open stream to the wall clock anew when that was set or is right at last."""
        synced, ahead_ms = clock_synced(), self._clocks.wall_ms() - self._clocks.mono_ms()
        if synced != self._clock[0] or abs(ahead_ms - self._clock[1]) > CLOCK_SET_MS:
            self._clock = (synced, ahead_ms)
            await self._outbox.read_clock(synced=synced)


def _facts(config: GatewayConfig, outbox: Outbox, clocks: Clocks) -> Callable[[], Facts]:
    """What each hello tells beside the streams; hardware and version are read once."""
    machine, version = machine_id(), software()

    def facts() -> Facts:
        return Facts(
            machine=machine,
            wall_ms=clocks.wall_ms(),
            clock_synced=clock_synced(),
            free_bytes=free_bytes(config.data),
            software=version,
            newest_digest=outbox.newest_digest(),
        )

    return facts


def software() -> str:
    """Name and version, as hello and health tell it."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return f"muster {version('muster')}"
    except PackageNotFoundError:  # run from a bare checkout
        return "muster"


# --- process --------------------------------------------------------------------------------------------------------


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """The first SIGTERM or SIGINT stops with grace, a second one at once."""
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def log_to_stderr() -> None:
    """JSON lines for a collector, coloured text for a person; libraries speak from warnings on."""
    on_terminal = sys.stderr.isatty()
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
