"""The emulated FK web terminal sends what the protocol page says."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest

from emulators.fkweb import JPEG, RECORDS, FkTerminal, LoggedPunch
from tests.support.recording_sink import until
from tests.support.scripted_server import ScriptedServer, answer

EXAMPLE = json.loads((Path(__file__).parents[1] / "captures" / "fkweb" / "worked-example.json").read_text())
AT = datetime(2026, 11, 23, 8, 59, 1)
OK = answer(b"", "response_code: OK", "trans_id: 100")
NONE = answer(b"", "response_code: ERROR_NO_CMD")


@pytest.mark.parametrize("library", EXAMPLE["logs"])
def test_a_record_is_that_of_the_worked_example(library: str) -> None:
    told = EXAMPLE["logs"][library]
    verify, inout = told["codes"]
    assert RECORDS[library](LoggedPunch(told["user"], AT, verify, inout)).hex() == told["hex"]


def test_a_push_is_that_of_the_worked_example() -> None:
    assert FkTerminal("FK1").glog(LoggedPunch("1000", AT, 0x40000000, 0x01000000)).hex() == EXAMPLE["realtime_glog"]


async def test_a_push_comes_in_numbered_blocks_with_underscore_headers() -> None:
    async with ScriptedServer([OK]) as server:
        device = FkTerminal("FK1", port=server.port, block=50)
        body = device.glog(LoggedPunch("1000", AT, 0x40000000, 0x01000000))
        assert (await device.send("realtime_glog", body)).code == "OK"
    assert [head["blk_no"] for head in server.heads] == ["1", "2", "0"]
    assert b"".join(server.bodies) == body
    assert (server.heads[0]["request_code"], server.heads[0]["dev_id"]) == ("realtime_glog", "FK1")


async def test_a_punch_is_repeated_until_ok_and_a_command_is_run() -> None:
    command = answer(b"\x03\0\0\0{}\0", "response_code: OK", "trans_id: 7", "cmd_code: GET_DEVICE_STATUS")
    refusals = [answer(b"", "response_code: ERROR_DB_ACCESS"), answer(b"OK?"), answer(b"", status="503 No")]
    async with ScriptedServer([*refusals, OK, command, OK, NONE]) as server:
        device = FkTerminal("FK1", port=server.port, poll_s=0.01)
        device.punch("1000", AT)
        task = asyncio.create_task(device.run())
        await until(lambda: len(server.heads) >= 7)
        await device.stop()
        await task
    assert [head["request_code"] for head in server.heads[:6]] == [
        *["realtime_glog"] * 4,
        "receive_cmd",
        "send_cmd_result",
    ]
    assert (server.heads[5]["trans_id"], server.heads[5]["cmd_return_code"]) == ("7", "OK")
    assert (device.acknowledged, device.emitted, device.commands) == (1, 1, [("GET_DEVICE_STATUS", "{}")])


def test_a_picture_follows_the_json_and_has_braces() -> None:
    body = FkTerminal("FK1", picture=True).glog(LoggedPunch("1000", AT, 0x40000000, 0x01000000))
    length = int.from_bytes(body[:4], "little")
    assert json.loads(body[4 : 4 + length].rstrip(b"\0"))["log_image"] == "BIN_1"
    assert body[4 + length :] == len(JPEG).to_bytes(4, "little") + JPEG
    assert b"}" in JPEG
