"""``muster server init``: from an empty folder to a server that can run."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.cli.console import ACTOR, CONFIG, ConfigOption, errors, now_ms, out
from server.config import SQLITE, ServerConfig, load_config
from server.fleet.broker_files import add_server_user, replace_file
from server.fleet.passwords import new_password
from server.services import accounts
from server.services.accounts import NewUser
from server.services.keys import masters_of, open_database
from server.services.passwords import Passwords
from server.store import user_queries
from server.store.migrate import upgrade
from shared.errors import ConfigError

SERVER_USER = "server-1"


def init(
    *,
    config: ConfigOption = CONFIG,
    login: Annotated[str, typer.Option(help="Login of the first administrator.")] = "admin",
    database: Annotated[
        str, typer.Option(help="sqlite:///FILE, or postgresql://USER@HOST/NAME for several processes.")
    ] = "sqlite:///muster.db",
    broker: Annotated[
        str | None, typer.Option(help="HOST:PORT of Mosquitto; without it the broker runs inside the server.")
    ] = None,
    http_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of pages and API, on this machine.")] = 8400,
    zone: Annotated[str, typer.Option(help="IANA zone of sites that say nothing else.")] = "Asia/Shanghai",
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Write settings and secrets, prepare the database, add an administrator and print the password, once.

    One box, nothing else needed:  muster server init

    With services of your own:  muster server init --database postgresql://muster@db/muster --broker mqtt.example:1883

    What is there already is kept, so it is safe to repeat after a failure. Then: muster server run
    """
    with errors():
        written = _write_settings(config, _settings(database, broker, http_port, zone))
        settings = load_config(config)
        settings.data.mkdir(parents=True, exist_ok=True)
        if not settings.broker.password_file.exists():
            add_server_user(settings.broker.password_file, SERVER_USER, new_password())
        upgrade(settings.database.url, masters_of(settings))
        if settings.on_sqlite:  # its journals take the mode of the file
            Path(settings.database.url.removeprefix(SQLITE)).chmod(0o600)
        password = asyncio.run(_first_administrator(settings, login))
    if json_:
        facts = {"config": str(config), "login": login if password else None, "password": password}
        sys.stdout.write(json.dumps(facts) + "\n")
        return
    out.print(f"{'wrote' if written else 'kept'} {escape(str(config))}; the database is up to date")
    if password is None:
        out.print("there is an administrator already: `muster server users list`")
    else:
        out.print(f"login     {escape(login)}\npassword  {password}\nShown once.", highlight=False)
    out.print(f"next: muster server run --config {escape(str(config))}")


def _settings(database: str, broker: str | None, http_port: int, zone: str) -> str:
    """The text of server.toml; quoting is JSON's, which TOML reads."""
    lines = ["# See docs/reference/server-config.md", "[broker]"]
    if broker is None:
        lines += ["embedded = true"]
    else:
        host, colon, port = broker.rpartition(":")
        if not colon or not port.isdigit():
            raise ConfigError(f"broker {broker!r}: expected HOST:PORT, such as mqtt.example:1883")
        lines += [f"host = {json.dumps(host)}", f"port = {port}"]
    lines += ["[database]", f"url = {json.dumps(database)}"]
    lines += ["[http]", f"port = {http_port}", "[site]", f"zone = {json.dumps(zone)}"]
    return "\n".join(lines) + "\n"


def _write_settings(path: Path, text: str) -> bool:
    """Whether there were none; new ones that do not hold are taken back."""
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, text, 0o600)
    try:
        load_config(path)
    except ConfigError:
        path.unlink()
        raise
    return True


async def _first_administrator(settings: ServerConfig, login: str) -> str | None:
    """The new administrator's password; None when there is an administrator."""
    db = open_database(settings)
    try:
        async with db.reading() as connection:
            users = await user_queries.user_rows(connection)
        if any(user.role == "administrator" for user in users):
            return None
        password = accounts.new_password()
        new = NewUser(login, login, "administrator")
        await accounts.add_user(db, Passwords(), ACTOR, new, password, now_ms=now_ms())
        return password
    finally:
        await db.close()
