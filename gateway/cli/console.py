"""What all commands share: their options, errors as exit codes, tables or JSON."""

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from shared.clock import WallMs, from_ms
from shared.errors import ConfigError, DataError, MusterError

FAILED, BAD_INPUT = 1, 2
Cell: TypeAlias = str | int | None
CONFIG = Path("gateway.toml")
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of this gateway.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


@contextmanager
def errors() -> Iterator[None]:
    """Our errors become one line and an exit code: 2 where a person has to change something, else 1."""
    try:
        yield
    except MusterError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(exit_code(error)) from error


def exit_code(error: MusterError) -> int:
    """2 where a person has to change something, else 1."""
    return BAD_INPUT if isinstance(error, ConfigError | DataError) else FAILED


def write_file(path: Path, text: str, mode: int) -> None:
    """Write a file with exactly this mode; ConfigError when that is not possible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
    except OSError as error:
        raise ConfigError(f"{path}: can not be written ({error.strerror})") from error


def print_json(value: object) -> None:
    """One JSON document on a line of its own."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(rows: Sequence[Mapping[str, Cell]], columns: Sequence[str]) -> None:
    """Rows as a table of these columns."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*(column.replace("_", " ") for column in columns), box=None, header_style="bold")
    for row in rows:
        table.add_row(*("-" if row[column] is None else escape(str(row[column])) for column in columns))
    Console().print(table)


def iso_time(at_ms: WallMs | None) -> str:
    """UTC time to the second; a dash where there is none."""
    return "-" if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")
