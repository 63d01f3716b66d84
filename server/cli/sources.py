"""The commands of ``muster connectors`` that work on the database of a server."""

from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from server.access.errors import NotFoundError
from server.cli.console import ACTOR, err, in_database, now_ms, show
from server.config import load_config
from server.connectors.source_file import Source, Stream
from server.services import sources
from server.services.fact_store import Counts
from server.services.replay import replay
from server.services.sources import NEVER_MS, SourceState, StreamState
from server.services.sync import Order, Run, run_source
from server.services.sync_worker import holder_name, secrets_of
from server.store.database import Database
from server.store.log_queries import Entry
from shared.clock import from_ms, system_clocks
from shared.errors import ConfigError

T = TypeVar("T")

RUN_FACTS = ("source", "stream", "state", "pages", "added", "changed", "unchanged", "waiting", "deleted", "error")
STATUS_FACTS = ("source", "stream", "state", "fresh_until", "last_ok", "next", "stale", "last_run", "rows", "error")
REPLAY_FACTS = ("stream", "added", "changed", "unchanged", "waiting")


def add(text: str, name: str, config: Path, *, json_: bool) -> None:
    """Add or change the source of a file with that text."""

    async def work(db: Database) -> dict[str, Any]:
        row = await sources.put_source(db, text, name, Entry(now_ms(), ACTOR, "source.put", ""))
        return {"source": row.id, "map_version": row.map_version, "state": row.state}

    show([in_database(config, work)], json_, ("source", "map_version", "state"))


def run(name: str, stream: str | None, config: Path, *, whole: bool, confirmed: bool, json_: bool) -> None:
    """Run a source now; exit code 1 when a stream did not end well."""
    settings = load_config(config)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())

    def due(source: Source) -> Sequence[Stream]:
        return source.streams if stream is None else [sources.stream_named(source, stream)]

    async def work(db: Database) -> list[tuple[Stream, Run]]:
        with Progress(*columns, console=err, transient=True) as progress:
            bar = progress.add_task(name, total=None)

            def tell(now: Run) -> None:
                progress.update(bar, description=f"{name}: {now.pages} pages, {now.counts.rows} rows")

            order = Order(
                clocks=system_clocks(),
                holder=holder_name(),
                actor=ACTOR,
                files=settings.files,
                whole=whole,
                confirmed=confirmed,
                progress=tell,
            )
            return await _found(run_source(db, name, due, secrets_of(settings), order))

    done = in_database(config, work)
    if not done:
        err.print(f"{name} is being run by another process; `muster connectors status` tells when it is through")
        raise typer.Exit(1)
    show([_told(name, one, ended) for one, ended in done], json_, RUN_FACTS)
    for one, ended in done:
        if ended.message and not json_:
            err.print(f"{one.id}: {ended.message}", markup=False, highlight=False)
    if any(ended.state != "ok" for _, ended in done):
        raise typer.Exit(1)


def status(config: Path, *, json_: bool) -> None:
    """Every stream and how it does."""

    async def work(db: Database) -> list[SourceState]:
        async with db.reading() as connection:
            return await sources.states(connection)

    found = in_database(config, work)
    show([_status(state, stream) for state in found for stream in state.streams], json_, STATUS_FACTS)
    if not found and not json_:
        err.print("no sources yet: `muster connectors presets` lists what there is, `muster connectors add` adds one")


def replay_(name: str, stream: str | None, config: Path, *, json_: bool) -> None:
    """Map kept pages again."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())

    async def work(db: Database) -> list[tuple[Stream, Counts]]:
        async with db.reading() as connection:
            _, source = await _found(sources.load_source(connection, name))
        wanted = source.streams if stream is None else [sources.stream_named(source, stream)]
        done = []
        with Progress(*columns, console=err, transient=True) as progress:
            for one in wanted:
                bar = progress.add_task(one.id, total=None)

                def tell(pages: int, there: int, bar: Any = bar) -> None:
                    progress.update(bar, completed=pages, total=there)

                entry = Entry(now_ms(), ACTOR, "source.replay", name, detail={"stream": one.id})
                done.append((one, await replay(db, name, one, clocks=system_clocks(), entry=entry, progress=tell)))
        return done

    show([{"stream": one.id, **asdict(counts)} for one, counts in in_database(config, work)], json_, REPLAY_FACTS)


async def _found(work: Awaitable[T]) -> T:
    """A source that is not there is a mistake of whoever typed its name."""
    try:
        return await work
    except NotFoundError as error:
        raise ConfigError(f"no such {error}; `muster connectors status` lists those there are") from error


def _told(name: str, stream: Stream, run: Run) -> dict[str, Any]:
    return {
        "source": name,
        "stream": stream.id,
        "state": run.state,
        "pages": run.pages,
        **asdict(run.counts),
        "error": run.error,
    }


def _status(state: SourceState, stream: StreamState) -> dict[str, Any]:
    row, newest = stream.row, stream.newest
    return {
        "source": state.row.id,
        "stream": row.stream,
        "state": "disabled" if state.row.disabled else state.row.state,
        "fresh_until": _time(row.watermark_ms),
        "last_ok": _time(row.last_ok_ms),
        "next": None if row.next_ms in (0, NEVER_MS) else _time(row.next_ms),
        "stale": stream.stale(now_ms()),
        "last_run": None if newest is None else newest.state,
        "rows": None if newest is None else newest.added + newest.changed + newest.unchanged + newest.waiting,
        "error": None if newest is None else newest.error,
    }


def _time(at_ms: int | None) -> str | None:
    return None if at_ms is None else from_ms(at_ms).isoformat(timespec="seconds")
