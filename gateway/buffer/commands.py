"""``muster gateway outbox``: look at the outbox of this machine; the gateway may run meanwhile.

Everything is read only. Exit codes: 0 done, 1 the file can not be read, 2 usage or a wrong setting.
"""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, IntFlag
from pathlib import Path
from typing import Annotated, NoReturn, TypeAlias, cast

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from sqlite_utils import Database

from gateway.buffer import alarms, store
from gateway.buffer.connection import Connection, connect_sqlite
from gateway.buffer.disk import free_bytes, measure
from gateway.buffer.forecast import accepted_ms, hours_left, oldest_unacked_ms, rows_per_hour
from gateway.buffer.home import Home
from gateway.buffer.last_known import recall
from gateway.buffer.state import StreamInfo
from gateway.config import load_config
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import digest
from shared.punch import Punch
from shared.ranges import size
from shared.scan import Scan
from shared.wire import MAX_EVENTS, decode_event

Fact: TypeAlias = str | int | float | list[str] | list[int] | None

app = typer.Typer(
    no_args_is_help=True,
    help="Look at the events this gateway keeps. Reads only, and the gateway may run meanwhile.",
)
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings of this gateway.", metavar="FILE")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
CONFIG = Path("gateway.toml")


@app.command("list")
def list_streams(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """List the streams, oldest first: one for each start of the gateway that took events.

    muster gateway outbox list

    muster gateway outbox list --config /etc/muster/gateway.toml --json
    """
    with _opened(config) as (home, connection):
        state = store.load(connection)
        facts = [_stream_facts(connection, info) for info in state.streams.values()]
    if json_:
        _print_json(facts)
        return
    table = Table("stream", "seqs", "rows", "not confirmed", "first taken", "last taken", title=str(home.folder))
    for row in facts:
        seqs = f"{row['first']}-{row['last']}"
        table.add_row(
            str(row["stream"])[:12],
            seqs,
            f"{row['rows']:,}",
            f"{row['unacked']:,}",
            _short(row["first_at"]),
            _short(row["last_at"]),
        )
    Console().print(table)


@app.command("export")
def export(
    config: ConfigOption = CONFIG,
    unacked: Annotated[bool, typer.Option("--unacked", help="Only what the server has not confirmed.")] = False,
    stream: Annotated[str, typer.Option(help="Only this stream; the first characters of its id do.")] = "",
) -> None:
    """Print the events as JSON, one a line, in the order in which they are sent.

    muster gateway outbox export --unacked > backlog.jsonl

    muster gateway outbox export --stream 3f9a
    """
    with _opened(config) as (_, connection):
        state = store.load(connection)
        chosen = [info for info in state.streams.values() if info.stream.hex().startswith(stream.lower())]
        if stream and not chosen:
            raise ConfigError(f"no stream begins with {stream!r}; `muster gateway outbox list` names them")
        for info in chosen:
            for first, last in info.unacked if unacked else [(info.first, info.last)]:
                _print_rows(connection, info, first, last)


@app.command("stats")
def stats(config: ConfigOption = CONFIG, json_: JsonOption = False) -> None:
    """Show backlog, its age, room, and for how many hours the room will do at the current rate.

    muster gateway outbox stats

    muster gateway outbox stats --json
    """
    with _opened(config) as (home, connection):
        facts = _stats(home, connection)
    if json_:
        _print_json(facts)
        return
    table = Table(show_header=False, title=str(home.folder), title_justify="left")
    for name, value in facts.items():
        table.add_row(name.replace("_", " "), _readable(value))
    Console().print(table)


@contextmanager
def _opened(config: Path) -> Iterator[tuple[Home, Connection]]:
    """Folder and database, read only; errors end the command with a line and an exit code."""
    try:
        home = _home(config)
        connection = connect_sqlite(home.file, readonly=True)
        try:
            yield home, connection
        finally:
            connection.close()
    except (ConfigError, DataError) as error:
        _fail(str(error), 2)
    except (sqlite3.Error, RetryableError) as error:
        _fail(f"the outbox can not be read: {error}; the gateway salvages a damaged file when it starts", 1)


def _home(config: Path) -> Home:
    settings = load_config(config)
    home = Home(settings.data, settings.buffer, system_clocks(), connect_sqlite)
    if not home.file.exists():
        raise ConfigError(f"{home.file} does not exist; check `data` in {config}, or start the gateway once")
    return home


def _fail(reason: str, code: int) -> NoReturn:
    typer.echo(f"error: {reason}", err=True)
    raise typer.Exit(code)


def _stream_facts(connection: Connection, info: StreamInfo) -> dict[str, Fact]:
    return {
        "stream": info.stream.hex(),
        "first": info.first,
        "last": info.last,
        "rows": info.rows,
        "unacked": size(info.unacked),
        "first_at": _iso(accepted_ms(connection, info, info.first)),
        "last_at": _iso(accepted_ms(connection, info, info.last)),
        "clock": "synchronised" if info.anchor.synced else "not known to be right",
    }


def _stats(home: Home, connection: Connection) -> dict[str, Fact]:
    state = store.load(connection)
    usage = measure(connection, home)
    now_ms = home.clocks.wall_ms()
    per_hour = rows_per_hour(connection, state, now_ms)
    left = hours_left(usage, state.rows, per_hour)
    oldest = oldest_unacked_ms(connection, state)
    known = recall(home.folder)
    tables = Database(cast("sqlite3.Connection", connection), execute_plugins=False)
    return {
        "backlog": state.backlog,
        "oldest_unacked": _iso(oldest),
        "oldest_unacked_hours": None if oldest is None else round((now_ms - oldest) / 3_600_000, 1),
        "rows": state.rows,
        "streams": len(state.streams),
        "events_per_hour": round(per_hour, 1),
        "hours_left": None if left is None else round(left, 1),
        "quota_used_pct": usage.pct,
        "used_bytes": usage.used,
        "limit_bytes": usage.limit,
        "disk_free_bytes": free_bytes(home.folder),
        "keys": tables.table("keys").count,
        "cursors": tables.table("cursors").count,
        "alarms": list(alarms.shown(connection, known.age_ms if known else 0)),
        "kept_after_damage": [path.name for path in sorted(home.folder.glob("corrupt-*"))],
    }


def _print_rows(connection: Connection, info: StreamInfo, first: int, last: int) -> None:
    for at in range(first, last + 1, MAX_EVENTS):
        for seq, body, said in store.read_rows(connection, info.number, at, min(at + MAX_EVENTS - 1, last)):
            facts: dict[str, Fact] = {"stream": info.stream.hex(), "seq": seq}
            facts |= _event_facts(body) if digest(body) == said else {"event": "damaged", "raw": body.hex()}
            sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")


def _event_facts(body: bytes) -> dict[str, Fact]:
    """An event by the names of its fields; codes as words, times in UTC, raw bytes in hexadecimal."""
    try:
        event = decode_event(body)
    except DataError as error:
        return {"event": "damaged", "reason": error.code, "raw": body.hex()}
    facts = {name: _plain(value) for name, value in msgspec.structs.asdict(event).items()}
    kind = "punch" if isinstance(event, Punch) else "scan" if isinstance(event, Scan) else "damaged"
    if isinstance(event, Scan):
        facts["means"] = facts.pop("kind")
    return {"event": kind, **facts, "at": from_ms(event.at).isoformat()}


def _plain(value: object) -> Fact:
    match value:
        case IntFlag():
            return [flag.name.lower() for flag in type(value)(value) if flag.name]
        case IntEnum():
            return value.name.lower()
        case bytes():
            return value.hex()
        case tuple():
            return [int(number) for number in value]
        case str() | int() | float() | None:
            return value
    raise TypeError(f"no JSON for {type(value).__name__}")


def _iso(at_ms: int | None) -> str | None:
    return None if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")


def _short(at: Fact) -> str:
    return str(at)[:19].replace("T", " ") + " UTC" if at else "-"


def _readable(value: Fact) -> str:
    match value:
        case None:
            return "-"
        case list():
            return ", ".join(map(str, value)) or "-"
        case int():
            return f"{value:,}"
    return str(value)


def _print_json(facts: Fact | dict[str, Fact] | list[dict[str, Fact]]) -> None:
    typer.echo(json.dumps(facts, ensure_ascii=False))
