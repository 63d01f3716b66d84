"""``muster server quarantine``."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from server.cli.console import (
    ACTOR,
    CONFIG,
    ConfigOption,
    JsonOption,
    errors,
    in_database,
    iso_time,
    now_ms,
    out,
    reading,
    show,
)
from server.store import fleet_queries
from shared.errors import ConfigError

commands = typer.Typer(no_args_is_help=True, help="What could not be read: nothing is dropped.")


@commands.command("list")
def list_quarantine(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Rows, newest first.")] = 50,
    config: ConfigOption = CONFIG,
    json_: JsonOption = False,
) -> None:
    """List what could not be stored as an event, with the reason.

    muster server quarantine list --limit 200 --json
    """
    total, rows = in_database(config, reading(lambda c: fleet_queries.quarantine_rows(c, limit)))
    facts = [
        {
            "id": row.id,
            "gateway": row.gateway,
            "stream": row.stream.hex() if row.stream else None,
            "seq": row.seq,
            "code": row.code,
            "bytes": row.size,
            "received": iso_time(row.received_ms),
            "state": row.state,
        }
        for row in rows
    ]
    show(facts, json_, ("id", "gateway", "seq", "code", "bytes", "received", "state"))
    if not json_ and total > len(rows):
        out.print(f"{total} in all; --limit shows more")


@commands.command("show")
def show_quarantine(
    row: Annotated[int, typer.Argument(help="Id from `quarantine list`.")],
    to: Annotated[Path | None, typer.Option(help="Write the raw bytes to this file instead.")] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Show the raw bytes of one row, as hexadecimal, or export them.

    muster server quarantine show 17 --to row-17.bin
    """
    raw = in_database(config, reading(lambda c: fleet_queries.quarantine_raw(c, row)))
    with errors():
        if raw is None:
            raise ConfigError(f"quarantine has no row {row}; `muster server quarantine list` shows the ids")
        if to is not None:
            to.write_bytes(raw)
            out.print(f"wrote {len(raw)} bytes to {escape(str(to))}")
            return
        for start in range(0, len(raw), 16):
            part = raw[start : start + 16]
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in part)
            out.print(f"{start:06x}  {part.hex(' '):<47}  {text}", markup=False, highlight=False)


@commands.command("release")
def release_quarantine(config: ConfigOption = CONFIG) -> None:
    """Store what can be an event now, such as punches of a terminal that was assigned only afterwards.

    muster server quarantine release
    """
    from server.ingest.release import release

    out.print(f"{in_database(config, lambda db: release(db, ACTOR, now_ms()))} events released")


@commands.command("dismiss")
def dismiss_quarantine(
    rows: Annotated[list[int] | None, typer.Argument(help="Ids from `quarantine list`.", show_default=False)] = None,
    code: Annotated[str | None, typer.Option(help="All with this reason.", show_default=False)] = None,
    config: ConfigOption = CONFIG,
) -> None:
    """Say of rows that nothing is to be done about them; they stay, and no longer wait for a person.

    muster server quarantine dismiss 17 18

    muster server quarantine dismiss --code noise
    """
    from server.ingest.release import dismiss

    with errors():
        if not rows and code is None:
            raise ConfigError("say which: ids, or --code; `muster server quarantine list` shows both")
    done = in_database(config, lambda db: dismiss(db, ACTOR, rows or [], code, now_ms()))
    out.print(f"{done} rows dismissed")
