"""What all commands share: their options, one database at a time, errors as exit codes, tables or JSON."""

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy.exc import DBAPIError

from server.config import load_config
from server.services.keys import open_database
from server.store.database import Database
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, MusterError

if TYPE_CHECKING:
    from server.services.act import Act

T = TypeVar("T")

ACTOR = "cli"
"""Who did it, in the operation log."""

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of this server.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON array instead of a table.")]
CONFIG = Path("server.toml")

out = Console()
err = Console(stderr=True)


def in_database(config: Path, work: Callable[[Database], Coroutine[Any, Any, T]]) -> T:
    """Do this in the database of the settings; errors end the command."""

    async def within() -> T:
        db = open_database(load_config(config))
        try:
            return await work(db)
        finally:
            await db.close()

    with errors():
        return asyncio.run(within())


def reading(query: Callable[..., Coroutine[Any, Any, T]]) -> Callable[[Database], Coroutine[Any, Any, T]]:
    """A query as work for ``in_database``."""

    async def read(db: Database) -> T:
        async with db.reading() as connection:
            return await query(connection)

    return read


@contextmanager
def errors() -> Iterator[None]:
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


def show(facts: Sequence[Mapping[str, str | int | None]], json_: bool, columns: Sequence[str]) -> None:
    """Print rows as a table of these columns, or all of them as JSON."""
    if json_:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold")
    for row in facts:
        table.add_row(*("-" if row[column] is None else escape(str(row[column])) for column in columns))
    out.print(table)


def iso_time(at_ms: int | None) -> str | None:
    """UTC time to the second."""
    return None if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")


def now_ms() -> int:
    """The wall clock, UTC."""
    return system_clocks().wall_ms()


def operator() -> "Act":
    """What whoever types commands does: it may be about everybody."""
    from server.access.viewer import Viewer
    from server.services.accounts import Caller
    from server.services.act import Act

    return Act(Viewer(0, ACTOR, ACTOR, "administrator", None, frozenset(), b""), Caller("local", "cli", now_ms()))
