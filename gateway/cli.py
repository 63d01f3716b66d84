"""Commands of the gateway: set it up, check it, run it, look at it. Exit codes: 0 done, 1 failed, 2 bad input."""

import os
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from gateway.config import GatewayConfig, check_zone, load_config
from gateway.driver import Cursor, Stored
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, MusterError, RetryableError
from shared.keys import Event
from shared.topics import check_gateway_id
from shared.wire import Health

FAILED, BAD_INPUT = 1, 2
REACH_S = 3.0
STALE_REPORTS = 3
"""Health reports that may be missing before we say that the gateway does not run."""

app = typer.Typer(no_args_is_help=True, help="The gateway: keeps every punch and scan of a depot and sends it on.")

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of this gateway.", metavar="FILE")]
CONFIG = Path("gateway.toml")

TEMPLATE = """\
# Settings of a Muster gateway; docs/reference/gateway-config.md explains every key.
id = "{id}"
data = "{data}"
zone = "{zone}"

[broker]
host = "{host}"
port = {port}
password_file = "{password_file}"

# One table for each terminal or scanner of this depot. Examples:
#
# [[terminal]]                      # is asked by the gateway
# name = "front-door"
# profile = "zkteco/k40"
# host = "192.0.2.10"
#
# [[terminal]]                      # reports by itself; needs [push.zk_adms]
# name = "warehouse"
# profile = "zkteco/senseface-2a"
# serial = "CKJG201260021"
#
# [[terminal]]                      # a scanner on a serial port
# name = "dock-2"
# profile = "generic/aim-serial"
# device = "/dev/ttyUSB0"
# kind = "out_for_delivery"
#
# [push.zk_adms]                    # opens a port for terminals that report by themselves
# host = "0.0.0.0"
# port = 8081
"""


@app.command()
def run(config: ConfigOption = CONFIG) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    muster gateway run --config /etc/muster/gateway.toml
    """
    # A process of its own: without the command line's libraries it stays small for months.
    words = [sys.executable, "-m", "gateway", "--config", str(config)]
    os.execv(sys.executable, words)  # noqa: S606 - no shell: ourselves, with words of our own


@app.command()
def init(
    id_: Annotated[str, typer.Option("--id", prompt="Gateway id", help="As `muster server gateways add` printed it.")],
    broker: Annotated[str, typer.Option(prompt="Broker", help="HOST or HOST:PORT of the MQTT broker.")],
    zone: Annotated[str, typer.Option(help="IANA time zone of this depot.")] = "Asia/Shanghai",
    *,
    data: Annotated[str, typer.Option(help="Folder of the buffer, relative to the settings.")] = "data",
    password_stdin: Annotated[bool, typer.Option(help="Read the password from standard input.")] = False,
    force: Annotated[bool, typer.Option(help="Replace existing settings.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Write gateway.toml and its password file.

    muster gateway init --id gw-0123456789 --broker mqtt.example --zone Asia/Shanghai
    """
    with _errors():
        check_gateway_id(id_)
        check_zone(zone, "--zone")
        host, port = _host_and_port(broker)
        if config.exists() and not force:
            raise ConfigError(f"{config} is there already; edit it, or replace it with --force")
        password = sys.stdin.readline().strip() if password_stdin else typer.prompt("Password", hide_input=True)
        if not password:
            raise ConfigError("the password is empty; `muster server gateways password <id>` prints a new one")
        secret = config.with_name(f"{config.stem}-password")
        text = TEMPLATE.format(id=id_, data=data, zone=zone, host=host, port=port, password_file=secret.name)
        _write(secret, password + "\n", 0o600)
        _write(config, text, 0o644)
        load_config(config)
    typer.echo(f"wrote {config} and {secret}; add your terminals, then `muster gateway check --config {config}`")


@app.command()
def check(config: ConfigOption = CONFIG) -> None:
    """Check settings, password, profiles and devices, and say what to change.

    muster gateway check --config gateway.toml
    """
    with _errors():
        settings = load_config(config)
    typer.echo(f"ok       {config}: gateway {settings.id}, {len(settings.terminal)} terminals")
    problems = [*_check_files(settings), *_check_terminals(settings)]
    for problem in problems:
        typer.echo(f"problem  {problem}")
    for note in _unreachable(settings):
        typer.echo(f"note     {note}")
    if problems:
        typer.echo(f"{len(problems)} to change")
        raise typer.Exit(BAD_INPUT)
    typer.echo("ok       everything the gateway needs is there")


@app.command()
def status(
    config: ConfigOption = CONFIG,
    json_: Annotated[bool, typer.Option("--json", help="Print the last report as one JSON object.")] = False,
) -> None:
    """Show what the gateway on this machine reported last; exit code 1 when it does not run.

    muster gateway status --config gateway.toml
    """
    import msgspec

    from gateway.health.report import load

    with _errors():
        settings = load_config(config)
        health = load(settings.data)
        if health is None:
            raise RetryableError(f"{settings.data}: no report yet; start the gateway with `muster gateway run`")
    age_s = (system_clocks().wall_ms() - health.at) / 1000
    if json_:
        typer.echo(msgspec.json.encode(health).decode())
    else:
        _print_status(health, age_s)
    if age_s > STALE_REPORTS * settings.health_s + 5:
        typer.echo("The gateway does not run: `muster gateway run`", err=True)
        raise typer.Exit(FAILED)


# Loaded only when called; its own words, --help included, are parsed there.
@app.command(
    "outbox",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,
    help="List, export and count what the buffer holds.",
)
def outbox(context: typer.Context) -> None:
    """Hand the words over to the outbox's own commands."""
    from gateway.buffer.commands import app as commands

    typer.main.get_command(commands)(args=context.args, prog_name="muster gateway outbox")


# --- checks ---------------------------------------------------------------------------------------------------------


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
        if terminal.device is not None and (problem := _device_problem(terminal.device)):
            yield f"terminal {terminal.name}: {problem}"


def _device_problem(device: str) -> str | None:
    path = Path(device)
    if not path.exists():
        known = sorted(str(p) for p in (*Path("/dev/serial/by-id").glob("*"), *Path("/dev").glob("ttyUSB*")))
        there = f"; there is {', '.join(known)}" if known else "; is the scanner plugged in?"
        return f"device {device} does not exist{there}"
    if not os.access(path, os.R_OK | os.W_OK):
        return f"device {device} can not be opened by this user; add it to the group of the device (often dialout)"
    return None


def _check_terminals(config: GatewayConfig) -> Iterator[str]:
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


# --- shared by the commands -----------------------------------------------------------------------------------------


@contextmanager
def _errors() -> Iterator[None]:
    """Our errors become one line and an exit code: 2 where a person has to change something, else 1."""
    try:
        yield
    except MusterError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED) from error


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, 1883
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"broker {text!r}: expected HOST or HOST:PORT, such as mqtt.example:1883")
    return host, int(port)


def _write(path: Path, text: str, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: can not be written ({error.strerror})") from error


def _print_status(health: Health, age_s: float) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    out = Console()
    oldest = f", the oldest of {_time(health.oldest_unacked_ms)}" if health.oldest_unacked_ms else ""
    out.print(f"reported {age_s:.0f} s ago by {escape(health.software)}", highlight=False)
    out.print(f"waiting for the server: {health.backlog} rows{oldest}", highlight=False)
    out.print(f"buffer {health.quota_used_pct} % used, {health.free_bytes // 2**20} MiB free on disk", highlight=False)
    if health.refused:
        out.print(f"[red]refused for lack of room: {health.refused} events[/red]")
    if health.alarms:
        out.print(f"[red]alarms: {escape(', '.join(health.alarms))}[/red]")
    table = Table("terminal", "serial", "state", "problem", "last contact", "last event", box=None, header_style="bold")
    for one in health.terminals:
        table.add_row(
            escape(one.name),
            escape(one.terminal),
            one.state,
            one.problem or "-",
            _time(one.last_contact_ms),
            _time(one.last_event_ms),
        )
    if health.terminals:
        out.print(table)


def _time(at_ms: int | None) -> str:
    return "-" if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")


if __name__ == "__main__":
    app()
