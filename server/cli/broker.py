"""``muster server broker``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.cli.console import CONFIG, ConfigOption, errors, in_database, out
from server.config import load_config
from server.fleet import broker_files
from server.fleet.passwords import new_password

commands = typer.Typer(no_args_is_help=True, help="Accounts and rights on the MQTT broker.")


@commands.command("acl")
def write_broker_files(
    folder: Annotated[Path, typer.Option(help="Where `acl` and `passwords` are written.")] = Path("broker"),
    reload: Annotated[Path | None, typer.Option(help="Mosquitto's pid file; it reads both files again.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Write Mosquitto's ACL and password files from the database.

    muster server broker acl --folder /etc/mosquitto/muster --reload /run/mosquitto/mosquitto.pid
    """
    with errors():
        settings = load_config(config)
    files = in_database(config, lambda db: broker_files.broker_files(db, settings.broker))
    with errors():
        for path in broker_files.write_files(files, folder):
            out.print(f"wrote {escape(str(path))}")
        if reload is not None:
            out.print(f"broker {broker_files.reload_broker(reload)} reads them again")


@commands.command("user")
def add_broker_user(
    user: Annotated[str, typer.Argument(help="server-1, server-2 ...: one for each server process.")],
    config: ConfigOption = CONFIG,
) -> None:
    """Add the broker user of one more server process to the password file; then write the broker's files again.

    muster server broker user server-2
    """
    with errors():
        settings = load_config(config)
        broker_files.add_server_user(settings.broker.password_file, user, new_password())
        out.print(f"{escape(user)} is in {escape(str(settings.broker.password_file))}; run `muster server broker acl`")
