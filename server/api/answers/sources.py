"""Sources as their page shows them."""

from collections.abc import Sequence

from server.access.errors import NotFoundError
from server.api.context import Context
from server.api.views.sources import AskedView, PastRunView, RunView, SourceStreamView, SourceView
from server.services import sources
from server.services.source_orders import asked_of
from server.services.sources import NEVER_MS, SourceState, StreamState
from server.store import source_queries
from server.store.source_queries import RunRow
from shared.clock import WallMs

PLOTTED = 20
"""Runs in the small plot."""


async def every(context: Context, now_ms: WallMs) -> list[SourceView]:
    """Every source, by id."""
    async with context.db.reading() as connection:
        found = await sources.states(connection)
        past = await source_queries.last_runs(connection, [state.row.id for state in found], PLOTTED)
    return [source_view(state, past.get(state.row.id, ()), now_ms) for state in found]


async def one(context: Context, name: str, now_ms: WallMs) -> SourceView:
    """One source; NotFoundError when there is none."""
    async with context.db.reading() as connection:
        found = [state for state in await sources.states(connection) if state.row.id == name]
        past = await source_queries.last_runs(connection, [name], PLOTTED)
    if not found:
        raise NotFoundError(f"source {name}")
    return source_view(found[0], past.get(name, ()), now_ms)


def source_view(state: SourceState, past: Sequence[RunRow], now_ms: WallMs) -> SourceView:
    """A source; its own times are those of the stream that is behind most."""
    streams = [_stream(stream, now_ms) for stream in state.streams]
    known = [stream.watermark_ms for stream in streams if stream.watermark_ms is not None]
    lags = [stream.lag_ms for stream in streams]
    due = [stream.row.next_ms for stream in state.streams if stream.row.next_ms != NEVER_MS]
    title = state.source.title
    return SourceView(
        id=state.row.id,
        name_zh=title.zh if title else state.row.id,
        name_en=title.en if title else state.row.id,
        kind=state.source.kind,
        zone=state.source.timezone,
        standing=state.standing(now_ms),
        failures=state.row.failures,
        map_version=state.row.map_version,
        watermark_ms=min(known, default=None),
        lag_ms=None if not lags or None in lags else max(lag for lag in lags if lag is not None),
        next_ms=min(due, default=None) or None,
        busy=any(stream.asked or (stream.newest and stream.newest.state == "running") for stream in streams),
        streams=streams,
        history=[_past(run) for run in past],
        errors=[stream.newest for stream in streams if stream.newest is not None and stream.newest.error is not None],
    )


def run_view(run: RunRow) -> RunView:
    """A run."""
    fields = {name: getattr(run, name) for name in RunView.model_fields if name not in ("of", "message")}
    return RunView(**fields, of=run.detail.get("of"), message=run.detail.get("message", ""))


def _stream(stream: StreamState, now_ms: WallMs) -> SourceStreamView:
    row, asked = stream.row, asked_of(stream.row)
    return SourceStreamView(
        stream=row.stream,
        fact=row.fact,
        every=stream.stream.every,
        watermark_ms=row.watermark_ms,
        last_ok_ms=row.last_ok_ms,
        lag_ms=stream.lag_ms(now_ms),
        stale=stream.stale(now_ms),
        next_ms=None if row.next_ms in (0, NEVER_MS) else row.next_ms,
        asked=None if asked is None else AskedView(work=asked.work, actor=asked.actor, at_ms=asked.at_ms),
        newest=None if stream.newest is None else run_view(stream.newest),
    )


def _past(run: RunRow) -> PastRunView:
    rows = run.added + run.changed + run.unchanged + run.waiting
    return PastRunView(started_ms=run.started_ms, stream=run.stream, state=run.state, rows=rows)
