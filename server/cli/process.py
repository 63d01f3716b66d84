"""``muster server run|migrate|openapi``: the process itself."""

import asyncio
import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from server.app import ALL_ROLES, Role, log_to_stderr, serve
from server.cli.console import CONFIG, ConfigOption, errors, out
from server.config import ServerConfig, as_broker_user, load_config
from server.store.database import Database
from shared.errors import ConfigError


def run(
    config: ConfigOption = CONFIG,
    role: Annotated[list[str] | None, typer.Option(help="api, ingest or worker; repeat it; all without it.")] = None,
    broker_user: Annotated[str | None, typer.Option(help="This process's own broker user, such as server-2.")] = None,
) -> None:
    """Run the server until Ctrl-C or SIGTERM.

    All roles in one process:  muster server run --config server.toml

    One of several ingest processes (PostgreSQL and Mosquitto):  muster server run --role ingest --broker-user server-2
    """
    with errors():
        settings = load_config(config)
        if broker_user is not None:
            settings = as_broker_user(settings, broker_user)
        log_to_stderr()
        asyncio.run(serve(settings, _roles(role)))


def migrate(config: ConfigOption = CONFIG) -> None:
    """Bring the database to this version; safe to repeat.

    muster server migrate --config server.toml
    """
    from server.services.keys import masters_of
    from server.store.migrate import upgrade

    with errors():
        settings = load_config(config)
        upgrade(settings.database.url, masters_of(settings))
        out.print("database is up to date")


def openapi() -> None:
    """Print the HTTP API as an OpenAPI document.

    muster server openapi > openapi.json
    """
    from server.api.app import create_app

    with errors():
        memory = Database("sqlite:///:memory:")
        sys.stdout.write(json.dumps(create_app(memory, ServerConfig()).openapi(), indent=2, ensure_ascii=False) + "\n")


def _roles(names: Sequence[str] | None) -> frozenset[Role]:
    if not names:
        return ALL_ROLES
    if unknown := set(names) - ALL_ROLES:
        raise ConfigError(f"role {', '.join(sorted(unknown))}: expected {', '.join(sorted(ALL_ROLES))}")
    return frozenset(role for role in ALL_ROLES if role in names)
