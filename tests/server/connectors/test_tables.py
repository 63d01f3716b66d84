"""Tables of files: rows by heading, whatever they were saved as; what can not be read says why."""

import io
import zipfile

import pytest

from server.connectors.errors import ReplyError
from server.connectors.mapping import Mapped, map_rows
from server.connectors.presets import load_preset
from server.connectors.reply import read_reply
from server.connectors.tables import is_table, numbered_rows

TABLE = "编号,名称,备注\n1,张三,=1+1\n2,,@x\n"
ROWS = [{"编号": "1", "名称": "张三", "备注": "=1+1"}, {"编号": "2", "名称": None, "备注": "@x"}]


@pytest.mark.parametrize(
    "body",
    [
        TABLE.encode(),
        TABLE.encode("utf-8-sig"),
        TABLE.encode("gb18030"),
        TABLE.encode("utf-16"),
        TABLE.replace(",", ";").encode(),
        TABLE.replace(",", "\t").encode(),
    ],
    ids=["utf8", "bom", "gb18030", "utf16", "semicolon", "tab"],
)
def test_a_table_reads_the_same_in_every_form_and_formulas_stay_text(body: bytes) -> None:
    assert [row for _, row in numbered_rows(body)] == ROWS


def test_json_lines_are_rows() -> None:
    body = b'{"a": 1}\n\n{"a": null}\n'
    assert is_table(body)
    assert [row for _, row in numbered_rows(body)] == [{"a": 1}, {"a": None}]


@pytest.mark.parametrize("body", [b'[{"a": 1}]', b'{"a":\n 1}', b'{"a": 1}'], ids=["list", "spread", "one"])
def test_one_json_document_is_no_table(body: bytes) -> None:
    assert not is_table(body)


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("xl/x.xml", "w") as entry:
        for _ in range(3):
            entry.write(b"\0" * 1024 * 1024)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"a,b\n\xff\xff\xff,2\n", "bad_encoding"),
        (b"a,a\n1,2\n", "schema_changed"),
        (b"a,b\n1,2,3\n", "schema_changed"),
        (b"", "no_rows"),
        (b"PK\x03\x04 cut off", "bad_file"),
        (b'{"a": 1}\n{"a": ', "bad_body"),
        (b'{"a": 1}\n[1]', "bad_body"),
    ],
    ids=["bytes", "twice", "beyond", "empty", "cut", "cut-line", "no-object"],
)
def test_a_file_that_can_not_be_read_says_why_and_is_not_tried_again(body: bytes, code: str) -> None:
    with pytest.raises(ReplyError) as caught:
        list(numbered_rows(body))
    assert (caught.value.code, caught.value.retry) == (code, False)


def test_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.sheets.UNPACKED_LIMIT", 2 * 1024 * 1024)
    with pytest.raises(ReplyError) as caught:
        list(numbered_rows(bomb()))
    assert caught.value.code == "too_large"


def test_a_preset_of_files_maps_a_table_and_bad_cells_wait() -> None:
    source = load_preset("recruit_file")
    stream = source.streams[0]
    body = "需求编号,提出日期,人数\nR1,2026年3月1日,2\nR2,2026-03-01,两\nR3,2026-03-01,\nR4,,1\n".encode("gb18030")
    good, *bad = map_rows(source, stream, read_reply(source, stream, body).rows)
    assert isinstance(good, Mapped)
    assert (good.row.source_key, good.row.model_dump(mode="json")["opened_on"]) == ("R1", "2026-03-01")
    codes = [one.codes for one in bad if not isinstance(one, Mapped)]
    assert [list(code) for code in codes] == [["bad_number"], ["missing_field"], ["missing_time"]]
