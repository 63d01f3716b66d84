"""From page to page of a source: pure but for ``ask``, which gets one page with values for the names in its call."""

import asyncio
import datetime as dt
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from server.connectors.errors import ReplyError
from server.connectors.fetch.position import After
from server.connectors.fetch.template import as_form
from server.connectors.paths import look, parse_path
from server.connectors.reply import Page
from server.connectors.source_file import Paging
from shared.errors import DataError

Values: TypeAlias = Mapping[str, Any]
Ask: TypeAlias = Callable[[Values], Awaitable[Page]]
FIRST_WINDOW_DAYS = 30
"""date_window: how far back the very first pass goes where the file names no start."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """Raw rows, and where the pass goes on after them; None where it can only begin anew."""

    rows: list[Any]
    after: After = None
    covered: dt.datetime | None = None
    """date_window: everything before it has been read; never today, which is not over."""
    lines: list[int] | None = None
    """Of a file that is a table: the line that each row is on."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one pass over a stream needs to know beside its pages."""

    zone: ZoneInfo
    today: dt.date
    since: dt.datetime | None = None
    after: After = None
    ids: Sequence[str] = ()
    """id_batches: people's ids in the source, or numbers of parcels."""
    at_once: int = 1
    """date_window, id_batches: how many windows or batches are asked for at the same time."""


async def pages(paging: Paging, ask: Ask, about: Pass, values: Values) -> AsyncIterator[Fetched]:
    """Every page of a pass. ReplyError ``page_repeated`` where a source turns in a circle."""
    match paging.type:
        case "none":
            yield Fetched((await ask(values)).rows)
        case "page_number" | "offset" | "has_more":
            async for fetched in _counted(paging, ask, values, about.after):
                yield fetched
        case "keyset":
            async for fetched in _by_key(paging, ask, values, about.after):
                yield fetched
        case "next_link" | "cursor_token":
            async for fetched in _by_token(paging, ask, values, about.after):
                yield fetched
        case "date_window":
            async for fetched in _by_window(paging, ask, about, values):
                yield fetched
        case "id_batches":
            async for fetched in _by_ids(paging, ask, about, values):
                yield fetched


async def _counted(paging: Paging, ask: Ask, values: Values, after: After) -> AsyncIterator[Fetched]:
    """By number of the page, or by rows read before."""
    number = after if isinstance(after, int) else paging.first
    read = 0
    while True:
        page = await ask({**values, "page": number, "offset": read, "size": paging.size})
        read += len(page.rows)
        number += 1
        if paging.type == "has_more":
            last = not page.next
        elif page.total is not None:
            last = not page.rows or (paging.type == "offset" and read >= page.total)
        else:
            last = len(page.rows) < (paging.size or 1)
        # Offsets move when rows come and go, so a pass that was cut off begins anew.
        yield Fetched(page.rows, number if paging.type == "page_number" and not last else None)
        if last or not page.rows:
            return


async def _by_key(paging: Paging, ask: Ask, values: Values, after: After) -> AsyncIterator[Fetched]:
    field = parse_path(paging.field or "id")
    key = after if after is not None else paging.start
    while True:
        page = await ask({**values, "after": key, "size": paging.size})
        last = len(page.rows) < (paging.size or 1)
        following = _key(page.rows[-1], field) if page.rows else key
        if page.rows and not last and following == key:
            raise ReplyError(
                f"the page after {key} ends with {key}: is it ordered by its key?", "page_repeated", retry=False
            )
        key = following
        if page.rows:
            yield Fetched(page.rows, None if last else key)
        if last:
            return


def _key(row: Any, field: tuple[Any, ...]) -> str | int:
    try:
        value = look(row, field)
    except DataError:
        value = None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ReplyError(f"the last row of a page has no {'.'.join(map(str, field))}", "schema_changed", retry=False)
    return value


async def _by_token(paging: Paging, ask: Ask, values: Values, after: After) -> AsyncIterator[Fetched]:
    token = after
    told = {token}
    while True:
        page = await ask({**values, "after": token, "size": paging.size})
        following = None if isinstance(page.next, bool) else page.next
        last = page.last is True or following in (None, "")
        if not last and following in told:
            if paging.type == "cursor_token" and not page.rows:
                return  # the token of the end stays the same until something new comes
            raise ReplyError("the same page again", "page_repeated", retry=False)
        token = following
        told.add(token)
        yield Fetched(page.rows, None if last else token)
        if last:
            return


async def _by_window(paging: Paging, ask: Ask, about: Pass, values: Values) -> AsyncIterator[Fetched]:
    windows = (_window(paging, ask, about, values, days) for days in _windows(paging, about))
    async for fetched in _in_order(windows, about.at_once):
        yield fetched


async def _window(
    paging: Paging, ask: Ask, about: Pass, values: Values, days: tuple[dt.date, dt.date]
) -> AsyncIterator[Fetched]:
    """The pages of one window, each with its first day, and that it has been read."""
    first, last = days
    window = {"from": _midnight(first, about.zone, paging), "to": _end(last, about.zone, paging)}
    async for fetched in _within(paging, ask, about, {**values, **window}):
        yield Fetched(fetched.rows, first.isoformat())
    following = last + dt.timedelta(days=1)
    covered = dt.datetime.combine(min(following, about.today), dt.time(), about.zone)
    yield Fetched([], following.isoformat(), covered)


def _windows(paging: Paging, about: Pass) -> Iterator[tuple[dt.date, dt.date]]:
    """First and last day of each, oldest first."""
    end = about.today - dt.timedelta(days=1 if paging.ends == "yesterday" else 0)
    first = _first_day(about)
    while first <= end:
        last = min(first + dt.timedelta(days=(paging.days or 1) - 1), end)
        yield first, last
        first = last + dt.timedelta(days=1)


async def _by_ids(paging: Paging, ask: Ask, about: Pass, values: Values) -> AsyncIterator[Fetched]:
    size = paging.size or 1
    batches = (list(about.ids[n : n + size]) for n in range(0, len(about.ids), size))
    asked = (_within(paging, ask, about, {**values, "ids": ids, "id": ids[0]}) for ids in batches)
    async for fetched in _in_order(asked, about.at_once):
        yield Fetched(fetched.rows)


async def _in_order(parts: Iterable[AsyncIterator[Fetched]], at_once: int) -> AsyncIterator[Fetched]:
    """Pages of windows or batches in their order, several of these asked for at the same time.

    The first is read alone: where a login is refused it is tried once, not once for each. Of the others each is whole
    before its first page is shown, so one that fails loses none of those before it.
    """
    left = iter(parts)
    for part in islice(left, None if at_once == 1 else 1):
        async for fetched in part:
            yield fetched
    reading: deque[asyncio.Task[list[Fetched]]] = deque()
    try:
        while True:
            reading.extend(asyncio.create_task(_whole(part)) for part in islice(left, at_once - len(reading)))
            if not reading:
                return
            for fetched in await reading[0]:
                yield fetched
            reading.popleft()
    finally:
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _whole(part: AsyncIterator[Fetched]) -> list[Fetched]:
    return [fetched async for fetched in part]


def _first_day(about: Pass) -> dt.date:
    if isinstance(about.after, str):
        return dt.date.fromisoformat(about.after)
    if about.since is not None:
        return about.since.astimezone(about.zone).date()
    return about.today - dt.timedelta(days=FIRST_WINDOW_DAYS)


def _midnight(day: dt.date, zone: ZoneInfo, paging: Paging) -> str | int:
    return as_form(dt.datetime.combine(day, dt.time(), zone), paging.as_, zone)


def _end(day: dt.date, zone: ZoneInfo, paging: Paging) -> str | int:
    if not paging.whole_days:
        return _midnight(day, zone, paging)
    midnight = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(), zone)
    return as_form(midnight.astimezone(dt.UTC) - dt.timedelta(seconds=1), paging.as_, zone)


def _within(paging: Paging, ask: Ask, about: Pass, values: Values) -> AsyncIterator[Fetched]:
    inner = Pass(about.zone, about.today, about.since, None, about.ids)
    return pages(paging.within or Paging(type="none"), ask, inner, values)
