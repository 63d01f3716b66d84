"""``muster gateway check``: settings, password, profiles and devices, each with what to change."""

import os
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from gateway.cli.console import BAD_INPUT, CONFIG, ConfigOption, errors
from gateway.config import GatewayConfig, load_config
from gateway.driver import Cursor, Stored
from shared.clock import system_clocks
from shared.errors import ConfigError, RetryableError
from shared.keys import Event

REACH_S = 3.0


def check(config: ConfigOption = CONFIG) -> None:
    """Check settings, password, profiles and devices, and say what to change.

    muster gateway check --config gateway.toml
    """
    with errors():
        settings = load_config(config)
    typer.echo(f"ok       {config}: gateway {settings.id}, {len(settings.terminal)} terminals")
    problems = [*_check_files(settings), *terminal_problems(settings)]
    for problem in problems:
        typer.echo(f"problem  {problem}")
    for note in _unreachable(settings):
        typer.echo(f"note     {note}")
    if problems:
        typer.echo(f"{len(problems)} to change")
        raise typer.Exit(BAD_INPUT)
    typer.echo("ok       everything the gateway needs is there")


def _check_files(config: GatewayConfig) -> Iterator[str]:
    from gateway.sync.client import read_password

    try:
        read_password(config.broker)
    except ConfigError as error:
        yield str(error)
    else:
        path = config.broker.password_file
        if path.stat().st_mode & 0o077:
            yield f"{path}: others can read the password; run `chmod 600 {path}`"
    folder = next(place for place in (config.data, *config.data.parents) if place.exists())
    if not os.access(folder, os.W_OK):
        yield f"{config.data}: can not be written by this user; run `chown` on {folder} or change `data`"
    for terminal in config.terminal:
        if terminal.key_file is not None and not os.access(terminal.key_file, os.R_OK):
            yield f"terminal {terminal.name}: key_file {terminal.key_file} can not be read"
        if terminal.device is not None and (problem := device_problem(terminal.device)):
            yield f"terminal {terminal.name}: {problem}"


def device_problem(device: str) -> str | None:
    """Why a serial device can not be used, and what to do; None when it can."""
    path = Path(device)
    if not path.exists():
        known = sorted(str(p) for p in (*Path("/dev/serial/by-id").glob("*"), *Path("/dev").glob("ttyUSB*")))
        there = f"; there is {', '.join(known)}" if known else "; is the scanner plugged in?"
        return f"device {device} does not exist{there}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"device {device} can not be opened by this user; add it to the group of the device (often dialout)"
    return None


def terminal_problems(config: GatewayConfig) -> Iterator[str]:
    """What the gateway itself would say about each terminal at its start."""
    from gateway.app import build_fleet

    clocks = system_clocks()
    for state, error in build_fleet(config, _NoSink(), clocks, clocks.mono_ms).problems:
        yield str(error) if state.name in str(error) else f"terminal {state.name}: {error}"


def _unreachable(config: GatewayConfig) -> Iterator[str]:
    """Addresses that do not answer now: no mistake in the settings, the gateway waits for them."""
    if not _answers(config.broker.host, config.broker.port):
        yield f"broker {config.broker.host}:{config.broker.port} does not answer now; the gateway keeps what it takes"
    if not config.terminal:
        yield "no terminals yet: add a [[terminal]] table for each"


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), REACH_S).close()
    except OSError:
        return False
    return True


class _NoSink:
    """Stands for the outbox while settings are checked: nothing runs, so nothing is put."""

    async def put(self, events: Sequence[Event], cursor: Cursor | None = None) -> Stored:
        raise RetryableError(f"{len(events)} events at {cursor}: the gateway does not run")

    async def cursor(self, key: str) -> bytes | None:
        raise RetryableError(f"{key}: the gateway does not run")
