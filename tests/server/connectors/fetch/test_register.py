"""What a system does not know of its rows is in a register that people keep, and becomes a field of the row."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest

from server.connectors.errors import ReplyError, SourceFileError
from server.connectors.fetch.opening import opened, read_pass
from server.connectors.fetch.position import Position
from server.connectors.fetch.secrets import Secrets
from server.connectors.source_file import read_source
from tests.server.connectors.faulty import Reply, peer

NOW = dt.datetime(2026, 3, 4, tzinfo=dt.UTC)
SOURCE = """
source: media
kind: http_json
base_url: {url}
auth: {{type: none}}
limits: {{max_page_bytes: 1000}}
streams:
  - fact: content_post
    call: {{path: /posts}}
    rows: list
    each: days
    register: {{files: "media/register*.csv", key: 作品编号, id: ^.post, into: register}}
    key: ^.post
    map: {{platform: {{const: wechat}}, post_key: ^.post, stat_date: day, cumulative: {{const: true}}}}
"""


async def rows(folder: Path, posts: list[Any]) -> list[Any]:
    with peer(lambda _call: Reply({"list": posts})) as system:
        source = read_source(SOURCE.format(url=system.url), "media.yaml")
        async with opened(source, Secrets(Path(), {}), files=folder) as at:
            pages = read_pass(at, source.streams[0], Position(), now=NOW)
            return [row async for fetched, _ in pages for row in fetched.rows]


def keep(folder: Path, name: str, *lines: str) -> Path:
    path = folder / "media" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(("作品编号,原创", *lines)), encoding="gb18030")
    return path


async def test_a_row_gets_the_line_that_names_it(tmp_path: Path) -> None:
    keep(tmp_path, "register.csv", "7,是", ",是")
    found = await rows(tmp_path, [{"post": 7, "days": [{"day": 1}, {"day": 2}]}, {"post": 8, "days": [{"day": 1}]}])
    line = {"作品编号": "7", "原创": "是"}
    assert found == [
        {"post": 7, "days": [{"day": 1, "register": line}, {"day": 2, "register": line}]},
        {"post": 8, "days": [{"day": 1}]},
    ]


async def test_rows_that_are_shaped_otherwise_stay_as_they_are_for_the_mapping_to_say_so(tmp_path: Path) -> None:
    keep(tmp_path, "register.csv", "7,是")
    odd = ["no post", {"post": 7, "days": ["no day"]}, {"post": 7}, {"post": {}, "days": [{"day": 1}]}]
    assert await rows(tmp_path, odd) == odd


@pytest.mark.parametrize(("newer", "expected"), [("register-a.csv", "是"), ("register-b.csv", "否")])
async def test_of_two_lines_with_a_key_that_of_the_newer_file_counts(tmp_path: Path, newer: str, expected: str) -> None:
    for path in (keep(tmp_path, "register-a.csv", "7,是"), keep(tmp_path, "register-b.csv", "7,否")):
        changed_s = 2_000_000_000 if path.name == newer else 1_900_000_000
        os.utime(path, (changed_s, changed_s))
    [row] = await rows(tmp_path, [{"post": 7, "days": [{"day": 1}]}])
    assert row["days"][0]["register"]["原创"] == expected


async def test_without_a_register_rows_come_as_the_system_has_them(tmp_path: Path) -> None:
    posts = [{"post": 7, "days": [{"day": 1}]}]
    assert await rows(tmp_path / "nowhere", posts) == await rows(tmp_path, posts) == posts


async def test_a_register_that_can_not_be_read_is_named_and_nothing_is_stored_without_it(tmp_path: Path) -> None:
    keep(tmp_path, "register.csv", *(f"{number},是" for number in range(500)))
    with pytest.raises(ReplyError, match=r"register\.csv: more than 1000 bytes"):
        await rows(tmp_path, [{"post": 7, "days": [{"day": 1}]}])
    (tmp_path / "media" / "register.csv").write_bytes(b"\xff\xff\xff")
    with pytest.raises(ReplyError, match=r"register\.csv: "):
        await rows(tmp_path, [{"post": 7, "days": [{"day": 1}]}])


def test_a_file_has_columns_and_no_register() -> None:
    text = SOURCE.format(url="http://x").replace("kind: http_json", "kind: file")
    with pytest.raises(SourceFileError, match="put the columns into the file"):
        read_source(text, "media.yaml")
