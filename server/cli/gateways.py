"""``muster server gateways``."""

import json
import sys
from typing import Annotated

import typer

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
from server.fleet import gateways
from server.store import fleet_queries

commands = typer.Typer(no_args_is_help=True, help="Gateways: one at each depot.")


@commands.command("add")
def add_gateway(
    name: Annotated[str, typer.Argument(help="What people call it, such as 'Depot 3 office'.")],
    site: Annotated[str | None, typer.Option(help="Id of its site.")] = None,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Add a gateway and print its id and password, once.

    muster server gateways add "Depot 3 office" --site d3
    """
    made = in_database(config, lambda db: gateways.add_gateway(db, ACTOR, name, site, now_ms()))
    _credentials(made, json_)


@commands.command("password")
def renew_gateway_password(gateway: str, config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Give a gateway a new password and print it, once; the old one ends.

    muster server gateways password gw-0123456789
    """
    _credentials(in_database(config, lambda db: gateways.renew_password(db, ACTOR, gateway, now_ms())), json_)


@commands.command("list")
def list_gateways(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List all gateways with their backlog.

    muster server gateways list --json
    """
    rows = in_database(config, reading(fleet_queries.gateway_rows))
    facts = [
        {
            "id": row.id,
            "name": row.name,
            "site": row.site,
            "status": row.status,
            "last_seen": iso_time(row.last_seen_ms),
            "backlog": row.health.backlog if row.health else None,
            "software": row.software,
        }
        for row in rows
    ]
    show(facts, json_, ("id", "name", "site", "status", "last_seen", "backlog", "software"))


@commands.command("revoke")
def revoke_gateway(gateway: str, config: ConfigOption = CONFIG) -> None:
    """Take a gateway's rights away; what it still sends is quarantined.

    muster server gateways revoke gw-0123456789
    """
    in_database(config, lambda db: gateways.revoke_gateway(db, ACTOR, gateway, now_ms()))
    out.print(f"{gateway} is revoked; with Mosquitto run `muster server broker acl --reload` now")


def _credentials(made: gateways.Credentials, json_: bool) -> None:
    if json_:
        sys.stdout.write(json.dumps({"id": made.gateway, "password": made.password}) + "\n")
        return
    out.print(f"id        {made.gateway}\npassword  {made.password}", highlight=False)
    out.print("Shown once. Put the password into the gateway's password_file, mode 0600.")
