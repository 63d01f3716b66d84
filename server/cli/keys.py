"""``muster server keys``: keys of what is kept encrypted."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    err,
    errors,
    in_database,
    iso_time,
    now_ms,
    out,
    show,
)
from server.config import load_config
from server.crypto.masters import Masters
from server.services import keys
from server.store import key_queries
from server.store.database import Database
from server.store.key_queries import DataKeyRow
from server.store.log_queries import Entry
from shared.errors import ConfigError

commands = typer.Typer(no_args_is_help=True, help="Keys of what is kept encrypted, such as pay.")
FACTS = ("key", "purpose", "suite", "master", "values", "created", "retired")


@commands.command()
def init(config: ConfigOption = CONFIG) -> None:
    """Make the master key and the first data keys. What is there already is kept, so it is safe to repeat.

    muster server keys init --config server.toml
    """
    with errors():
        settings = load_config(config)
        masters = keys.masters_of(settings)()
        if not masters:
            if lost := {row.master for row in in_database(config, _rows)}:
                raise ConfigError(
                    f"data keys are there, wrapped by {', '.join(sorted(lost))}, which is missing: put its line back; "
                    "a new master key can not open them (docs/howto/keys.md)"
                )
            path = keys.add_master(settings)
            out.print(f"wrote {escape(str(path))}; keep a copy apart from the database's: without it pay is lost")
    made = in_database(
        config, lambda db: keys.ensure_keys(db, settings.keys.suite, Entry(now_ms(), ACTOR, "keys.init", ""))
    )
    out.print(f"{len(made)} data keys; `muster server keys status` lists them")


@commands.command()
def rotate(
    *,
    master: Annotated[bool, typer.Option("--master", help="A new master key instead of a new data key.")] = False,
    config: ConfigOption = CONFIG,
) -> None:
    """Make a new data key and seal everything by it, or with --master a new master key around the data keys.

    The server may run meanwhile. Broken off, the same command goes on.

    muster server keys rotate --config server.toml
    """
    with errors():
        settings = load_config(config)
        masters = keys.masters_of(settings)()
        if not masters:
            raise ConfigError(keys.NO_MASTER)
        if master and _all_newest(config, masters):
            keys.add_master(settings)
    if master:
        count = in_database(config, lambda db: keys.rewrap(db, Entry(now_ms(), ACTOR, "keys.rotate_master", "")))
        out.print(
            f"{count} data keys are wrapped by the newest master key; older lines are needed for older backups only"
        )
        return

    async def work(db: Database) -> tuple[int, int]:
        number = await keys.renew(db, settings.keys.suite, Entry(now_ms(), ACTOR, "keys.rotate", ""))
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        with Progress(*columns, console=err, transient=True) as progress:
            bar = progress.add_task("sealing", total=None)
            return number, await keys.reseal(db, lambda done: progress.update(bar, description=f"{done} values"))

    number, done = in_database(config, work)
    out.print(f"data key {number} is in use; {done} values were sealed by it")


@commands.command()
def status(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List the data keys: which suite, which master key wraps each, how many values it has sealed.

    muster server keys status --config server.toml
    """
    rows = in_database(config, _rows)
    show([_told(row) for row in rows], json_, FACTS)
    if not rows and not json_:
        err.print("no keys yet: `muster server keys init` makes them")


async def _rows(db: Database) -> list[DataKeyRow]:
    async with db.reading() as connection:
        return await key_queries.data_key_rows(connection)


def _all_newest(config: Path, masters: Masters) -> bool:
    """Whether the newest master key is in use: one that is not was added by a person, or by a run broken off."""
    return all(row.master == list(masters)[-1] for row in in_database(config, _rows))


def _told(row: DataKeyRow) -> dict[str, str | int | None]:
    return {
        "key": row.id,
        "purpose": row.purpose,
        "suite": row.suite,
        "master": row.master,
        "values": row.uses,
        "created": iso_time(row.created_ms),
        "retired": iso_time(row.retired_ms),
    }
