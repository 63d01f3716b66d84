"""Recorded conversations of HTTP and WebSocket: who punched when stays, names and secrets do not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner
from websockets.frames import Frame, Opcode

from gateway.cli.decode import from_hex
from gateway.cli.device import app
from gateway.cli.families import families
from gateway.device import Recorder
from gateway.transports.scrub import FRAME_LIMIT, HttpRecorded, HttpScrub, WebSocketScrub, clean_body
from shared.errors import DataError
from tests.support.captures import captures

CAPTURES = captures()
PUSHED = {"fkweb": b"request_code: realtime_glog\r\ndev_id: GATE1\r\n"}
EXAMPLES = [
    *("akuvox/worked-example", "axis/worked-example", "controlid/access-logs", "controlid/dao", "dahua/search"),
    *("fkweb/worked-example", "hikvision/search", "matrix_cosec/flat", "suprema/events", "twon/worked-example"),
    "uniview/worked-example",
]
SECRETS = (b"WANG WEI", b"00AABB", b"0012345678", b"WEB000000000011", b"SECRET")


def message(family: str, body: bytes) -> bytes:
    """As it goes over the wire, with a login in its head."""
    push = family in {"fkweb", "uniview"}
    start = b"POST /hdata.aspx?session=SECRET HTTP/1.1\r\n" if push else b"HTTP/1.1 200 OK\r\nSet-Cookie: s=SECRET\r\n"
    head = b"Authorization: Digest SECRET\r\nbs-session-id: SECRET\r\n" + PUSHED.get(family, b"")
    return start + head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def scrubbed(family: str, data: bytes, *, to_terminal: bool = False) -> bytes:
    driver = families()[family]
    assert isinstance(driver, Recorder)
    scrub = driver.scrub()
    pieces = [data[at : at + 7] for at in range(0, len(data), 7)]
    return b"".join(one for piece in pieces for one in scrub.feed(piece, to_terminal=to_terminal))


def punches(family: str, data: bytes, folder: Path) -> list[object]:
    (folder / "capture").write_bytes(data)
    done = CliRunner().invoke(app, ["decode", "--family", family, str(folder / "capture")])
    assert done.exit_code == 0, done.output
    return [punch for line in done.stdout.splitlines() for punch in json.loads(line).get("punches", [])]


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_recorded_message_says_the_same_punches_and_no_names(name: str, tmp_path: Path) -> None:
    family = "2n" if name.startswith("twon") else name.partition("/")[0]
    sent = message(family, CAPTURES[name])
    kept = scrubbed(family, sent)
    assert len(kept) == len(sent)
    assert [secret for secret in SECRETS if secret in kept] == []
    expected = punches(family, CAPTURES[name], tmp_path)
    assert expected
    assert punches(family, kept, tmp_path) == expected


def test_a_recorded_push_in_parts_says_its_punch_and_hides_the_picture(tmp_path: Path) -> None:
    body = CAPTURES["hikvision/push"]
    picture = b'--MIME_boundary\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8SECRET"employeeNoString":"SECRET"\r\n'
    body = body.replace(b"--MIME_boundary", picture + b"--MIME_boundary", 1)
    head = b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=MIME_boundary\r\nContent-Length: %d\r\n\r\n"
    kept = scrubbed("hikvision", head % len(body) + body)
    assert b"SECRET" not in kept
    assert b"WANG WEI" not in kept
    assert len(punches("hikvision", kept, tmp_path)) == 1


def test_a_recorded_web_socket_says_the_same_punches_and_no_names(tmp_path: Path) -> None:
    record = {"enrollid": 1000, "name": "SECRET", "time": "2026-11-23 08:59:01", "mode": 8, "inout": 0, "event": 0}
    record["image"] = "SECRET" * 20_000
    text = json.dumps({"cmd": "sendlog", "sn": "ZX1", "count": 1, "logindex": 10, "record": [record]}).encode()
    head = b"GET /pub/chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    first, rest = text[:70_000], text[70_000:]
    frames = [
        Frame(Opcode.TEXT, first, fin=False),
        Frame(Opcode.PING, b"SECRET"),
        Frame(Opcode.CONT, rest),
        Frame(Opcode.TEXT, b'{"cmd":"reg","sn":"ZX1"}'),
    ]
    kept = scrubbed("aiface_ws", head + b"".join(frame.serialize(mask=True) for frame in frames))
    assert b"SECRET" not in kept
    (punch,) = punches("aiface_ws", kept, tmp_path)
    assert isinstance(punch, dict)
    assert (punch["user"], punch["utc"]) == ("1000", "2026-11-23T00:59:01Z")


def test_what_is_no_web_socket_and_no_http_is_not_kept() -> None:
    upgrade = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"
    huge = b"\x81\x7f" + (FRAME_LIMIT + 1).to_bytes(8, "big")
    for data in (upgrade + b"\xc1\x00", upgrade + huge, b"what is this?\r\n\r\n"):
        with pytest.raises(DataError):
            WebSocketScrub("").feed(data, to_terminal=False)
    with pytest.raises(DataError):
        HttpScrub("").feed(b"\x00\x01\x02\x03\x04\x05\x06\x07\x08", to_terminal=True)


TREE = st.recursive(
    st.sampled_from(['SECRET"SECRET', "SECRET", "\\SECRET", "快SECRET", 990017, -990017.5, True, None]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=3),
    max_leaves=12,
)


@given(TREE, st.integers(0, 400), st.booleans())
def test_no_value_of_json_gets_through_even_where_it_is_broken(tree: object, cut: int, pretty: bool) -> None:
    whole = json.dumps({"b": tree}, indent=2 if pretty else None).encode()
    for text in (whole, whole[:cut], b"\xff\xff\xff\x00" + whole, b"a=" + whole[:cut]):
        kept = clean_body(text, frozenset())
        assert len(kept) == len(text)
        assert b"SECRET" not in kept
        assert b"990017" not in kept


@given(st.binary(max_size=200))
def test_any_bytes_keep_their_length(data: bytes) -> None:
    for body in (data, b"{" + data, b"<" + data, b"a=" + data):
        assert len(clean_body(body, frozenset({"a"}))) == len(body)


def test_values_stay_by_the_name_of_their_field_alone() -> None:
    kept = frozenset({"id", "topic"})
    told = b'{"id":7,"rows":[{"Key":"topic","Value":"in"},{"Key":"Card","Value":"AB"}],"x":["id",12],"id":"y"}'
    expected = b'{"id":7,"rows":[{"Key":"topic","Value":"in"},{"Key":"Card","Value":"xx"}],"x":["xx",10],"id":"y"}'
    assert clean_body(told, kept) == expected
    assert clean_body(b"r[0].ID=7\r\nr[0].Name=AB CD\r\n", kept) == b"r[0].ID=7\r\nr[0].Name=xxxxx\r\n"
    assert clean_body(b'<A><id>7</id><n k="AB">CD</n></A>', kept) == b"<A><id>7</id>" + b"x" * 10 + b"xx</n></A>"


def test_every_family_of_http_may_be_recorded() -> None:
    recorded = {family for family, driver in families().items() if isinstance(driver, Recorder)}
    spoken = {family for family, driver in families().items() if isinstance(driver, HttpRecorded)}
    assert recorded == spoken | {"aiface_ws", "anviz", "zk4370", "zk_adms"}
    assert all(getattr(families()[family], "kept", "").split() for family in spoken)


def test_a_recording_is_hexadecimal_lines() -> None:
    assert from_hex(b"< 50\n> 51\n", "x") == b"PQ"
