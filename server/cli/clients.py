"""``muster server clients``."""

import json
import sys
from typing import Annotated

import typer
from rich.markup import escape

from server.access.clients import CLIENT_PERMISSIONS
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
from server.services import clients
from server.store import client_queries

commands = typer.Typer(no_args_is_help=True, help="Programs that fetch figures, such as payroll.")


@commands.command("add")
def add_client(
    name: Annotated[str, typer.Argument(help="Which program it is; it is in the operation log.")],
    *,
    permission: Annotated[list[str], typer.Option(help=f"One of {', '.join(CLIENT_PERMISSIONS)}; repeat it.")],
    days: Annotated[int, typer.Option(help="After so many days the token ends.")] = 90,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """Let a program in. Its token is shown once.

    muster server clients add payroll --permission payroll.read --days 90
    """
    token = in_database(config, lambda db: clients.add_client(db, ACTOR, name, permission, days=days, now_ms=now_ms()))
    if json_:
        sys.stdout.write(json.dumps({"name": name, "token": token}) + "\n")
    else:
        out.print(f"client  {escape(name)}\ntoken   {token}\nShown once.", highlight=False, soft_wrap=True)


@commands.command("list")
def list_clients(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List programs that may fetch figures, ended and revoked ones too.

    muster server clients list --json
    """
    rows = in_database(config, reading(client_queries.client_rows))
    facts = [
        {
            "id": row.id,
            "name": row.name,
            "permissions": ", ".join(row.permissions),
            "expires": iso_time(row.expires_ms),
            "revoked": iso_time(row.revoked_ms),
            "seen": iso_time(row.seen_ms),
        }
        for row in rows
    ]
    show(facts, json_, ("id", "name", "permissions", "expires", "revoked", "seen"))


@commands.command("revoke")
def revoke_client(
    client: Annotated[int, typer.Argument(help="Its number in `clients list`.")], config: ConfigOption = CONFIG
) -> None:
    """End a program's token at once.

    muster server clients revoke 3
    """
    in_database(config, lambda db: clients.revoke_client(db, ACTOR, client, now_ms=now_ms()))
    out.print(f"client {client} gets no figures any more")
