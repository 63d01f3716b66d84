"""``muster server terminals``."""

from typing import Annotated

import typer
from rich.markup import escape

from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    in_database,
    iso_time,
    now_ms,
    out,
    reading,
    show,
)
from server.fleet import terminals
from server.store import fleet_queries
from server.store.fleet_queries import Kind

commands = typer.Typer(no_args_is_help=True, help="Terminals and scanners, and the gateway each belongs to.")


@commands.command("assign")
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
    facts = terminals.TerminalFacts(serial, _kind(kind), name, group, site, profile)
    moved = in_database(config, lambda db: terminals.assign_terminal(db, ACTOR, facts, gateway, now_ms()))
    out.print(f"{escape(serial)} belongs to {gateway}" + ("" if moved else " as before"))


@commands.command("release")
def release_terminal(serial: str, config: ConfigOption = CONFIG) -> None:
    """Take a terminal from its gateway.

    muster server terminals release CKUH201260021
    """
    in_database(config, lambda db: terminals.release_terminal(db, ACTOR, serial, now_ms()))
    out.print(f"{escape(serial)} belongs to no gateway")


@commands.command("list")
def list_terminals(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List all terminals and scanners.

    muster server terminals list
    """
    rows = in_database(config, reading(fleet_queries.terminal_rows))
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
            "last_event": iso_time(row.last_event_ms),
        }
        for row in rows
    ]
    show(facts, json_, ("serial", "name", "site", "gateway", "kind", "group", "profile", "state", "last_event"))


def _kind(text: str) -> Kind:
    if text == "terminal":
        return "terminal"
    if text == "scanner":
        return "scanner"
    raise typer.BadParameter(f"{text!r}: expected terminal or scanner", param_hint="--kind")
