"""Wiring of a server process: which roles run, how they start again after an error, how they stop."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Set
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import msgspec
import structlog
import uvicorn

from server.config import ServerConfig, broker_passwords
from server.fleet.passwords import hash_password
from server.services.keys import open_database
from server.store import fleet_queries
from server.store.database import Database
from server.store.process_lock import only_process
from shared.clock import Clocks, system_clocks
from shared.errors import ConfigError, MusterError

Role: TypeAlias = Literal["api", "ingest", "worker"]
ALL_ROLES: frozenset[Role] = frozenset(get_args(Role))

FIRST_RETRY_S = 1.0
LONGEST_RETRY_S = 60.0
LOOK_S = 0.1
"""Between two looks at an empty feed; part of the 250 ms from a live punch to its row."""
SWEEP_MS = 1000
REST, LONGEST_REST_MS = 9, 5_000
"""Scores of everybody whom a changed fact concerns rest so many times as long as they took, and not longer than that:
own rows come first, and nobody is kept waiting by a history that is being read."""
REVOCATION_S = 1.0
HTTP_GRACE_S = 3
STOP_S = 9.0
SWITCH_S = 0.001
"""So long the event loop waits at most for a thread that computes, such as rows of a business system being mapped."""

YOUNG = 10_000
"""Objects made before the collector looks for rubbish: a page of rows is many more than the usual 700, and none is."""

log = structlog.get_logger("server")


@dataclass(frozen=True, slots=True)
class Part:
    """Something that runs for the life of the process; ``run`` is started again when it ends or raises."""

    name: str
    run: Callable[[], Awaitable[None]]


def check_roles(config: ServerConfig, roles: Set[Role]) -> None:
    """ConfigError for a split that can not work."""
    if roles == ALL_ROLES:
        return
    if config.on_sqlite:
        raise ConfigError("--role needs PostgreSQL: SQLite allows one process with all roles; leave --role out")
    if config.broker.embedded:
        raise ConfigError(
            "--role needs Mosquitto: the embedded broker lives in one process; set broker.embedded = false"
        )


def tune() -> None:
    """Settings of the interpreter for a process that answers people and maps rows in threads."""
    sys.setswitchinterval(SWITCH_S)
    gc.set_threshold(YOUNG, 10, 10)


async def serve(config: ServerConfig, roles: Set[Role] = ALL_ROLES, clocks: Clocks | None = None) -> None:
    """Run the roles until SIGTERM or SIGINT; ends within 10 s and leaves nothing half-written."""
    check_roles(config, roles)
    tune()
    stop = asyncio.Event()
    with _locks(config, roles), _signals(stop):
        async with AsyncExitStack() as stack:
            db = open_database(config)
            stack.push_async_callback(db.close)
            if config.broker.embedded:
                config = await stack.enter_async_context(_embedded_broker(config, db))
            parts = [part for role in sorted(roles) for part in _parts(role, config, db, clocks or system_clocks())]
            await _run_until(stop, parts)
    log.info("stopped")


def _parts(role: Role, config: ServerConfig, db: Database, clocks: Clocks) -> list[Part]:
    """What a role runs; its libraries are loaded only where it runs."""
    match role:
        case "api":
            return [_http(config, db, clocks)]
        case "ingest":
            return [_ingest(config, db, clocks)]
        case "worker":
            beside = (_notices, _connectors, _verifying)
            return [_worker(config, db, clocks), *(part(config, db, clocks) for part in beside)]


def _http(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    from server.api.app import create_app
    from server.live.hub import Hub

    listener = _bind(config.http.host, config.http.port)
    address = "http://{}:{}".format(*listener.getsockname()[:2])

    async def run() -> None:
        hub = Hub(db, clocks)
        app = create_app(db, config, clocks, hub)
        # What start-up made lives as long as the process: the collector need not go through it for each large answer.
        gc.collect()
        gc.freeze()
        # Without lifespan "on", a failing start-up of the application would serve errors instead of being tried again.
        settings = uvicorn.Config(
            app,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            forwarded_allow_ips=list(config.http.proxies),
            timeout_graceful_shutdown=HTTP_GRACE_S,
        )
        server = _Uvicorn(settings)
        serving = asyncio.create_task(server.serve(sockets=[listener.dup()]))
        log.info("pages", address=address)
        try:
            await asyncio.shield(serving)
        finally:
            hub.close()
            server.should_exit = True
            await serving

    return Part("api", run)


def _ingest(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    from server.ingest.consumer import consume

    return Part("ingest", lambda: consume(db, config, clocks))


def _worker(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    from server.ingest.identity import identify
    from server.services.attendance import compute_touched
    from server.services.chores import Chores
    from server.services.scoring import score_touched

    async def run() -> None:
        swept = everybody = 0
        chores = Chores(db, config, clocks)
        while True:
            events = await identify(db, clocks.wall_ms(), config.zone)
            results = 0
            if events or clocks.mono_ms() - swept >= SWEEP_MS:  # also after people's edits, which touch days too
                results = await compute_touched(db, clocks.wall_ms())
                start = clocks.mono_ms()
                all_now = start >= everybody
                results += await score_touched(db, clocks.wall_ms(), everybody=all_now)
                swept = clocks.mono_ms()
                if all_now:
                    everybody = swept + min(REST * (swept - start), LONGEST_REST_MS)
            await chores.run_due()
            if not events and not results:
                await asyncio.sleep(LOOK_S)

    return Part("worker", run)


def _notices(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    """Apart from the worker: results do not wait for other companies' servers."""
    from server.services.notices import run

    return Part("notices", lambda: run(db, config, clocks))


def _verifying(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    """Apart from the worker: a full run takes as long as it takes."""
    from server.services import verifying

    return Part("verifying", lambda: verifying.run(db, config, clocks))


def _connectors(config: ServerConfig, db: Database, clocks: Clocks) -> Part:
    """Apart from the worker, as notices are."""
    from server.services import file_work, hooks, sync_worker

    async def run() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(sync_worker.run(db, config, clocks))
            group.create_task(hooks.run(db, clocks))
            group.create_task(file_work.run(db, clocks))

    return Part("connectors", run)


@asynccontextmanager
async def _embedded_broker(config: ServerConfig, db: Database) -> AsyncIterator[ServerConfig]:
    """The broker in this process, and the settings with the port it really bound."""
    from server.fleet.embedded_broker import Accounts, EmbeddedBroker, quieten_amqtt

    quieten_amqtt()
    servers = {user: hash_password(secret) for user, secret in broker_passwords(config.broker.password_file).items()}
    revoked: frozenset[str] = frozenset()

    async def hash_of(user: str) -> str | None:
        if user in servers:
            return servers[user]
        async with db.reading() as connection:
            return (await fleet_queries.password_hashes(connection)).get(user)

    async def follow_revocations() -> None:
        nonlocal revoked
        while True:
            async with db.reading() as connection:
                revoked = await fleet_queries.revoked_gateways(connection)
            await asyncio.sleep(REVOCATION_S)

    _bind(
        config.broker.host, config.broker.port
    ).close()  # says what is wrong where amqtt would only say that it failed
    broker = EmbeddedBroker(config.broker.host, config.broker.port, Accounts(hash_of, lambda: revoked))
    await broker.start()
    follower = asyncio.create_task(_keep_running(Part("revocations", follow_revocations)))
    log.info("broker", host=config.broker.host, port=broker.port)
    try:
        yield msgspec.structs.replace(config, broker=msgspec.structs.replace(config.broker, port=broker.port))
    finally:
        follower.cancel()
        await broker.shutdown()


async def _run_until(stop: asyncio.Event, parts: list[Part]) -> None:
    """Keep all parts running until ``stop``, then end them together within STOP_S."""
    tasks = [asyncio.create_task(_keep_running(part), name=part.name) for part in parts]
    log.info("ready", roles=[part.name for part in parts])
    await stop.wait()
    log.info("stopping")
    for task in tasks:
        task.cancel()
    _, late = await asyncio.wait(tasks, timeout=STOP_S) if tasks else (set(), set())
    if late:
        log.warning("stopped_late", parts=sorted(task.get_name() for task in late))


async def _keep_running(part: Part) -> None:
    """Start a part again after growing delays; an error never ends the process."""
    loop = asyncio.get_running_loop()
    delay = FIRST_RETRY_S
    while True:
        started = loop.time()
        try:
            await part.run()
            log.warning("part_ended", part=part.name)
        except MusterError as error:  # its message says what to do: no traceback needed
            log.warning("part_failed", part=part.name, reason=str(error), again_in_s=delay)
        except Exception:
            log.exception("part_failed", part=part.name, again_in_s=delay)
        if loop.time() - started > LONGEST_RETRY_S:
            delay = FIRST_RETRY_S
        await asyncio.sleep(delay)
        delay = min(delay * 2, LONGEST_RETRY_S)


@contextmanager
def _locks(config: ServerConfig, roles: Set[Role]) -> Iterator[None]:
    """SQLite allows one server process, a broker user one connection."""
    with contextlib.ExitStack() as stack:
        if config.on_sqlite:
            stack.enter_context(only_process(config.data / "server.lock", "SQLite allows one server process"))
        if "ingest" in roles:
            user = config.broker.user
            stack.enter_context(only_process(config.data / f"{user}.lock", f"broker user {user} is in use"))
        yield


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


def _bind(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError(
            f"{host}:{port} can not be bound ({error.strerror}); stop what listens there or change the port"
        ) from error


class _Uvicorn(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The process has one place for signals, and it is not here."""
        yield


def log_to_stderr() -> None:
    """JSON lines for a collector, coloured text for a person; libraries speak from warnings on."""
    on_terminal = sys.stderr.isatty()
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    renderer = structlog.dev.ConsoleRenderer() if on_terminal else structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("server").setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
