"""Commands of the server: set it up, run it, look after the fleet. Exit codes: 0 done, 1 failed, 2 bad input."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from server.app import ALL_ROLES, Role, log_to_stderr, serve
from server.config import ServerConfig, as_broker_user, load_config
from server.fleet import broker_files
from server.fleet import gateways as fleet_gateways
from server.fleet import sites as fleet_sites
from server.fleet import terminals as fleet_terminals
from server.fleet.passwords import new_password
from server.store import fleet_queries
from server.store.database import Database
from server.store.fleet_queries import Kind
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, MusterError

T = TypeVar("T")

ACTOR = "cli"

app = typer.Typer(no_args_is_help=True, help="The server: what gateways send becomes results on pages.")
gateways = typer.Typer(no_args_is_help=True, help="Gateways: one at each depot.")
terminals = typer.Typer(no_args_is_help=True, help="Terminals and scanners, and the gateway each belongs to.")
sites = typer.Typer(no_args_is_help=True, help="Depots.")
users = typer.Typer(no_args_is_help=True, help="People who may sign in.")
broker = typer.Typer(no_args_is_help=True, help="Accounts and rights on the MQTT broker.")
quarantine = typer.Typer(no_args_is_help=True, help="What could not be read: nothing is dropped.")
for name, group in (
    ("gateways", gateways),
    ("terminals", terminals),
    ("sites", sites),
    ("users", users),
    ("broker", broker),
    ("quarantine", quarantine),
):
    app.add_typer(group, name=name)

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of this server.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")]
CONFIG = Path("server.toml")

out = Console()
err = Console(stderr=True)


# --- the server itself ----------------------------------------------------------------------------------------------


@app.command()
def run(
    config: ConfigOption = CONFIG,
    role: Annotated[list[str] | None, typer.Option(help="api, ingest or worker; repeat it; all without it.")] = None,
    broker_user: Annotated[str | None, typer.Option(help="This process's own broker user, such as server-2.")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    All roles in one process:  muster server run --config server.toml

    One of several ingest processes (PostgreSQL and Mosquitto):  muster server run --role ingest --broker-user server-2
    """
    with _errors():
        settings = load_config(config)
        if broker_user is not None:
            settings = as_broker_user(settings, broker_user)
        log_to_stderr()
        asyncio.run(serve(settings, _roles(role)))


@app.command()
def migrate(config: ConfigOption = CONFIG) -> None:
    """Bring the database to this version; safe to repeat.

    muster server migrate --config server.toml
    """
    from server.store.migrate import upgrade

    with _errors():
        upgrade(load_config(config).database.url)
        out.print("database is up to date")


@app.command()
def openapi() -> None:
    """Print the HTTP API as an OpenAPI document.

    muster server openapi > openapi.json
    """
    from server.api.app import create_app

    with _errors():
        memory = Database("sqlite:///:memory:")
        sys.stdout.write(json.dumps(create_app(memory, ServerConfig()).openapi(), indent=2, ensure_ascii=False) + "\n")


def _roles(names: Sequence[str] | None) -> frozenset[Role]:
    if not names:
        return ALL_ROLES
    if unknown := set(names) - ALL_ROLES:
        raise ConfigError(f"role {', '.join(sorted(unknown))}: expected {', '.join(sorted(ALL_ROLES))}")
    return frozenset(role for role in ALL_ROLES if role in names)


# --- gateways -------------------------------------------------------------------------------------------------------


@gateways.command("add")
def add_gateway(
    name: Annotated[str, typer.Argument(help="What people call it, such as 'Depot 3 office'.")],
    site: Annotated[str | None, typer.Option(help="Id of its site.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Add a gateway and print its id and password, once.

    muster server gateways add "Depot 3 office" --site d3
    """
    made = _in_database(config, lambda db: fleet_gateways.add_gateway(db, ACTOR, name, site, _now()))
    _credentials(made, json_)


@gateways.command("password")
def renew_gateway_password(gateway: str, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Give a gateway a new password and print it, once; the old one ends.

    muster server gateways password gw-0123456789
    """
    _credentials(_in_database(config, lambda db: fleet_gateways.renew_password(db, ACTOR, gateway, _now())), json_)


@gateways.command("list")
def list_gateways(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List all gateways with their backlog.

    muster server gateways list --json
    """
    rows = _in_database(config, _reading(fleet_queries.gateway_rows))
    facts = [
        {
            "id": row.id,
            "name": row.name,
            "site": row.site,
            "status": row.status,
            "last_seen": _time(row.last_seen_ms),
            "backlog": row.health.backlog if row.health else None,
            "software": row.software,
        }
        for row in rows
    ]
    _show(facts, json_, ("id", "name", "site", "status", "last_seen", "backlog", "software"))


@gateways.command("revoke")
def revoke_gateway(gateway: str, config: ConfigOption = CONFIG) -> None:
    """Take a gateway's rights away; what it still sends is quarantined.

    muster server gateways revoke gw-0123456789
    """
    _in_database(config, lambda db: fleet_gateways.revoke_gateway(db, ACTOR, gateway, _now()))
    out.print(f"{gateway} is revoked; with Mosquitto run `muster server broker acl --reload` now")


# --- terminals and sites --------------------------------------------------------------------------------------------


@terminals.command("assign")
def assign_terminal(
    serial: Annotated[str, typer.Argument(help="Serial number of the device, or its configured name if it has none.")],
    gateway: Annotated[str, typer.Argument(help="Id of the gateway that talks to it.")],
    *,
    kind: Annotated[str, typer.Option(help="terminal or scanner.")] = "terminal",
    group: Annotated[
        str | None, typer.Option(help="Terminals of one group share user numbers; default: the site.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    profile: Annotated[str | None, typer.Option(help="BRAND/MODEL as in the gateway's settings.")] = None,
    site: Annotated[str | None, typer.Option(help="Site, where it is not the gateway's.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Give a terminal to a gateway; what it sends of other terminals is quarantined, a moved terminal's backlog is not.

    muster server terminals assign CKUH201260021 gw-0123456789 --name "Depot 3 door"
    """
    facts = fleet_terminals.TerminalFacts(serial, _kind(kind), name, group, site, profile)
    moved = _in_database(config, lambda db: fleet_terminals.assign_terminal(db, ACTOR, facts, gateway, _now()))
    out.print(f"{escape(serial)} belongs to {gateway}" + ("" if moved else " as before"))


@terminals.command("release")
def release_terminal(serial: str, config: ConfigOption = CONFIG) -> None:
    """Take a terminal from its gateway.

    muster server terminals release CKUH201260021
    """
    _in_database(config, lambda db: fleet_terminals.release_terminal(db, ACTOR, serial, _now()))
    out.print(f"{escape(serial)} belongs to no gateway")


@terminals.command("list")
def list_terminals(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List all terminals and scanners.

    muster server terminals list
    """
    rows = _in_database(config, _reading(fleet_queries.terminal_rows))
    facts = [
        {
            "serial": row.serial,
            "name": row.name,
            "site": row.site,
            "gateway": row.gateway,
            "kind": row.kind,
            "group": row.user_group,
            "profile": row.profile,
            "state": row.health.state if row.health else None,
            "last_event": _time(row.last_event_ms),
        }
        for row in rows
    ]
    _show(facts, json_, ("serial", "name", "site", "gateway", "kind", "group", "profile", "state", "last_event"))


@sites.command("add")
def add_site(
    site: Annotated[str, typer.Argument(help="Short id, such as d3.")],
    name_zh: Annotated[str, typer.Option(help="Chinese name.")],
    name_en: Annotated[str, typer.Option(help="English name.")],
    zone: Annotated[str | None, typer.Option(help="IANA zone; default: site.zone of the settings.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Add a depot, or change its names and zone.

    muster server sites add d3 --name-zh 三号站 --name-en "Depot 3"
    """
    with _errors():
        zone = zone or load_config(config).site.zone
    names = (name_zh, name_en)
    _in_database(config, lambda db: fleet_sites.put_site(db, ACTOR, site, names, zone, now_ms=_now()))
    out.print(f"site {escape(site)} is known")


# --- broker ---------------------------------------------------------------------------------------------------------


@broker.command("acl")
def write_broker_files(
    folder: Annotated[Path, typer.Option(help="Where `acl` and `passwords` are written.")] = Path("broker"),
    reload: Annotated[Path | None, typer.Option(help="Mosquitto's pid file; it reads both files again.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write Mosquitto's ACL and password files from the database.

    muster server broker acl --folder /etc/mosquitto/muster --reload /run/mosquitto/mosquitto.pid
    """
    with _errors():
        settings = load_config(config)
    files = _in_database(config, lambda db: broker_files.broker_files(db, settings.broker))
    with _errors():
        for path in broker_files.write_files(files, folder):
            out.print(f"wrote {escape(str(path))}")
        if reload is not None:
            out.print(f"broker {broker_files.reload_broker(reload)} reads them again")


@broker.command("user")
def add_broker_user(
    user: Annotated[str, typer.Argument(help="server-1, server-2 ...: one for each server process.")],
    config: ConfigOption = CONFIG,
) -> None:
    """Add the broker user of one more server process to the password file; then write the broker's files again.

    muster server broker user server-2
    """
    with _errors():
        settings = load_config(config)
        broker_files.add_server_user(settings.broker.password_file, user, new_password())
        out.print(f"{escape(user)} is in {escape(str(settings.broker.password_file))}; run `muster server broker acl`")


# --- quarantine -----------------------------------------------------------------------------------------------------


@quarantine.command("list")
def list_quarantine(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows, newest first.")] = 50,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """List what could not be stored as an event, with the reason.

    muster server quarantine list --limit 200 --json
    """
    total, rows = _in_database(config, _reading(lambda c: fleet_queries.quarantine_rows(c, limit)))
    facts = [
        {
            "id": row.id,
            "gateway": row.gateway,
            "stream": row.stream.hex() if row.stream else None,
            "seq": row.seq,
            "code": row.code,
            "bytes": row.size,
            "received": _time(row.received_ms),
            "state": row.state,
        }
        for row in rows
    ]
    _show(facts, json_, ("id", "gateway", "seq", "code", "bytes", "received", "state"))
    if not json_ and total > len(rows):
        out.print(f"{total} in all; --limit shows more")


@quarantine.command("show")
def show_quarantine(
    row: Annotated[int, typer.Argument(help="Id from `quarantine list`.")],
    to: Annotated[Path | None, typer.Option(help="Write the raw bytes to this file instead.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Show the raw bytes of one row, as hexadecimal, or export them.

    muster server quarantine show 17 --to row-17.bin
    """
    raw = _in_database(config, _reading(lambda c: fleet_queries.quarantine_raw(c, row)))
    with _errors():
        if raw is None:
            raise ConfigError(f"quarantine has no row {row}; `muster server quarantine list` shows the ids")
        if to is not None:
            to.write_bytes(raw)
            out.print(f"wrote {len(raw)} bytes to {escape(str(to))}")
            return
        for start in range(0, len(raw), 16):
            part = raw[start : start + 16]
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
            out.print(f"{start:06x}  {part.hex(' '):<47}  {text}", markup=False, highlight=False)


# --- shared by the commands -----------------------------------------------------------------------------------------


def _in_database(config: Path, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    async def within() -> T:
        db = Database(load_config(config).database.url)
        try:
            return await work(db)
        finally:
            await db.close()

    with _errors():
        return asyncio.run(within())


def _reading(query: Callable[..., Coroutine[Any, Any, T]]) -> Callable[[Database], Coroutine[Any, Any, T]]:
    async def read(db: Database) -> T:
        async with db.reading() as connection:
            return await query(connection)

    return read


@contextmanager
def _errors() -> Iterator[None]:
    """Our errors become one line and an exit code: 2 where a person has to change something, else 1."""
    try:
        yield
    except (ConfigError, DataError) as error:
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(2) from error
    except MusterError as error:
        err.print(f"[red]error:[/red] {escape(str(error))}", soft_wrap=True)
        raise typer.Exit(1) from error
    except DBAPIError as error:
        hint = "is it running, and did `muster server migrate` prepare it?"
        err.print(f"[red]error:[/red] database: {escape(str(error.orig))}; {hint}", soft_wrap=True)
        raise typer.Exit(1) from error


def _kind(text: str) -> Kind:
    if text == "terminal":
        return "terminal"
    if text == "scanner":
        return "scanner"
    raise typer.BadParameter(f"{text!r}: expected terminal or scanner", param_hint="--kind")


def _credentials(made: fleet_gateways.Credentials, json_: bool) -> None:
    if json_:
        sys.stdout.write(json.dumps({"id": made.gateway, "password": made.password}) + "\n")
        return
    out.print(f"id        {made.gateway}\npassword  {made.password}", highlight=False)
    out.print("Shown once. Put the password into the gateway's password_file, mode 0600.")


def _show(facts: Sequence[Mapping[str, str | int | None]], json_: bool, columns: Sequence[str]) -> None:
    if json_:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold")
    for row in facts:
        table.add_row(*("-" if row[column] is None else escape(str(row[column])) for column in columns))
    out.print(table)


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")


def _now() -> int:
    return system_clocks().wall_ms()


if __name__ == "__main__":
    app()
