"""What a reply says about itself before any row of it is mapped."""

import json

import pytest

from server.connectors.errors import ReplyError
from server.connectors.reply import read_reply
from server.connectors.source_file import Source, read_source

PARCELS = """\
source: parcels
kind: http_json
dialect: json_text
ok: [{path: code, equals: A1, busy: [B9], nothing: [N0]}, {path: data.success, equals: true}]
streams:
  - fact: customer
    rows: data.list
    key: id
    map: {customer_key: id}
"""


def source() -> Source:
    return read_source(PARCELS, "parcels.yaml")


def reply(code: str, data: object) -> bytes:
    return json.dumps({"code": code, "data": data if isinstance(data, str) else json.dumps(data)}).encode()


def test_json_that_is_written_as_text_is_read() -> None:
    page = read_reply(source(), source().streams[0], reply("A1", {"success": True, "list": [{"id": "{"}]}))
    assert page.rows == [{"id": "{"}]


@pytest.mark.parametrize(
    ("code", "data", "told", "retry"),
    [
        ("A2", {"success": True, "list": []}, "refused", False),
        ("B9", "", "refused", True),
        ("A1", {"success": False, "list": []}, "refused", False),
        ("A1", '{"success": tr', "bad_body", True),
    ],
    ids=["outer", "busy", "inner", "cut"],
)
def test_a_reply_is_good_when_everything_in_it_says_so(code: str, data: object, told: str, retry: bool) -> None:
    with pytest.raises(ReplyError) as refused:
        read_reply(source(), source().streams[0], reply(code, data))
    assert (refused.value.code, refused.value.retry) == (told, retry)


def test_a_code_may_say_that_there_are_no_rows() -> None:
    assert read_reply(source(), source().streams[0], reply("N0", {"success": True})).rows == []
