"""JSON as the text that is stored."""

from sqlalchemy import select

from server.store.database import Database
from server.store.json_text import columns_as_text
from server.store.period_tables import score_settings


async def test_json_comes_as_its_text_and_the_rest_as_it_is(migrated_url: str) -> None:
    db = Database(migrated_url)
    async with db.writing() as connection:
        row = {"name": "x", "value": {"a": [1, "é"]}, "set_by": "t", "set_ms": 5}
        await connection.execute(score_settings.insert(), row)
        [found] = await connection.execute(select(*columns_as_text(score_settings)))
    await db.close()
    assert tuple(found) == ("x", '{"a": [1, "\\u00e9"]}', "t", 5)
