"""``muster gateway init | run | status``: write the settings, become the process, look at its last report."""

import os
import sys
from typing import Annotated

import typer

from gateway.cli.console import CONFIG, FAILED, ConfigOption, errors, iso_time, write_file
from gateway.config import check_zone, load_config
from shared.clock import system_clocks
from shared.errors import ConfigError, RetryableError
from shared.topics import check_gateway_id
from shared.wire import Health

STALE_REPORTS = 3
"""Health reports that may be missing before we say that the gateway does not run."""

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


def run(config: ConfigOption = CONFIG) -> None:
    """Run the gateway until Ctrl-C or SIGTERM.

    muster gateway run --config /etc/muster/gateway.toml
    """
    # A process of its own: without the command line's libraries it stays small for months.
    words = [sys.executable, "-m", "gateway", "--config", str(config)]
    os.execv(sys.executable, words)  # noqa: S606 - no shell: ourselves, with words of our own


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
    with errors():
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
        write_file(secret, password + "\n", 0o600)
        write_file(config, text, 0o644)
        load_config(config)
    typer.echo(f"wrote {config} and {secret}; add your terminals, then `muster gateway check --config {config}`")


def status(
    config: ConfigOption = CONFIG,
    json_: Annotated[bool, typer.Option("--json", help="Print the last report as one JSON object.")] = False,
) -> None:
    """Show what the gateway on this machine reported last; exit code 1 when it does not run.

    muster gateway status --config gateway.toml
    """
    import msgspec

    from gateway.health.report import load

    with errors():
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


def _host_and_port(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, 1883
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"broker {text!r}: expected HOST or HOST:PORT, such as mqtt.example:1883")
    return host, int(port)


def _print_status(health: Health, age_s: float) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    out = Console()
    oldest = f", the oldest of {iso_time(health.oldest_unacked_ms)}" if health.oldest_unacked_ms else ""
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
            iso_time(one.last_contact_ms),
            iso_time(one.last_event_ms),
        )
    if health.terminals:
        out.print(table)
