"""Every preset: loads, makes of a recorded reply the rows written beside it, and stores them once."""

from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from server.connectors.fetch.position import changed_at
from server.connectors.mapping import map_rows
from server.connectors.presets import load_preset, preset_names
from server.connectors.reply import read_reply
from server.connectors.saved import Saved, map_saved
from server.connectors.source_file import Source, Stream, missing_for_asking
from server.services.fact_store import Arrival, Counts, store_page
from server.store.database import Database
from tests.server.connectors.presets.recorded import RECORDED, Recorded

NOW_MS = 1_780_000_000_000
PAGES = Path(__file__).parents[4] / "docs/howto/connect"


def stream_of(one: Recorded) -> Stream:
    return next(stream for stream in load_preset(one.preset).streams if stream.id == one.stream)


@pytest.mark.parametrize("one", RECORDED, ids=str)
def test_a_recorded_reply_gives_the_expected_rows(one: Recorded) -> None:
    outcome = map_saved(load_preset(one.preset), [Saved(one.reply.name, one.reply.read_bytes(), one.stream)])
    rows = [{"source_key": row["source_key"], "fields": row["fields"]} for row in outcome.rows]
    waiting = [{"row": row["row"], "codes": row["codes"]} for row in outcome.quarantine]
    errors = [{"code": error["code"], "retry": error["retry"]} for error in outcome.errors]
    assert rows == one.expected.get("rows", [])
    assert waiting == one.expected.get("quarantine", [])
    assert errors == one.expected.get("errors", [])


@pytest.mark.parametrize("preset", preset_names())
def test_every_stream_has_a_recorded_reply_with_rows(preset: str) -> None:
    shown = {one.stream for one in RECORDED if one.preset == preset and one.expected.get("rows")}
    assert {stream.id for stream in load_preset(preset).streams} == shown


@pytest.mark.parametrize(
    "one", [one for one in RECORDED if one.expected.get("rows") and stream_of(one).cursor is not None], ids=str
)
def test_a_recorded_reply_says_up_to_when_it_has_been_read(one: Recorded) -> None:
    """Else each run would ask for everything since the first."""
    source, stream = load_preset(one.preset), stream_of(one)
    rows = read_reply(source, stream, one.reply.read_bytes()).rows
    assert {changed_at(stream, source.zone, row) for row in rows} - {None}


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_can_ask_its_system(preset: str) -> None:
    assert missing_for_asking(load_preset(preset)) == []


@pytest.mark.parametrize("preset", preset_names())
async def test_recorded_replies_loaded_twice_change_nothing(db: Database, preset: str) -> None:
    source = load_preset(preset)
    async with db.writing() as connection:
        first = await load(connection, source)
        again = await load(connection, source)
    assert first.added
    assert (again.added, again.changed, again.deleted) == (0, 0, 0)
    assert again.unchanged >= first.added


async def load(connection: AsyncConnection, source: Source) -> Counts:
    total = Counts()
    for one in RECORDED:
        if one.preset != source.source or one.expected.get("errors"):
            continue
        stream = next(stream for stream in source.streams if stream.id == one.stream)
        page = read_reply(source, stream, one.reply.read_bytes())
        arrival = Arrival(source.source, stream, source.zone, 1, NOW_MS)
        total += await store_page(connection, arrival, map_rows(source, stream, page.rows))
    return total


@pytest.mark.parametrize("preset", preset_names())
def test_a_page_says_how_to_connect_with_a_preset(preset: str) -> None:
    pages = [page.read_text(encoding="utf-8") for page in PAGES.glob("*.md")]
    facts = {stream.fact for stream in load_preset(preset).streams}
    assert any(preset in page and all(fact in page for fact in facts) for page in pages)
