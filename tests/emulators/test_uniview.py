"""The emulated Uniview terminal sends what the protocol page says."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

from emulators.uniview import HEART, VERIFICATION, Record, UniviewTerminal
from tests.support.recording_sink import until
from tests.support.scripted_server import ScriptedServer, answer

EXAMPLE = json.loads((Path(__file__).parents[1] / "captures" / "uniview" / "worked-example.json").read_text())


def test_a_message_has_every_field_of_the_worked_example() -> None:
    told = json.loads(UniviewTerminal("2102TEST").message(Record(31, "1000", 1_795_395_541, 1, card=False)))
    assert {key: told[key] for key in ("Seq", "DeviceCode", "Timestamp", "NotificationType", "FaceInfoNum")} == {
        key: EXAMPLE[key] for key in ("Seq", "DeviceCode", "Timestamp", "NotificationType", "FaceInfoNum")
    }
    expected, found = EXAMPLE["LibMatInfoList"][0], told["LibMatInfoList"][0]
    assert {key: found[key] for key in expected if key != "MatchPersonInfo"} == {
        key: value for key, value in expected.items() if key != "MatchPersonInfo"
    }
    assert found["MatchPersonInfo"]["PersonCode"] == "1000"


async def test_a_record_is_repeated_as_history_until_succeed() -> None:
    succeed = answer(json.dumps({"Response": {"StatusCode": 0}}).encode())
    heart = answer(json.dumps({"Data": {"Time": "2026-11-23 09:30:00"}}).encode())
    async with ScriptedServer([answer(b"", status="503 No"), heart, succeed, heart]) as server:
        device = UniviewTerminal("2102TEST", port=server.port, poll_s=0.01)
        device.punch("1000", 1_795_395_541)
        task = asyncio.create_task(device.run())
        await until(lambda: len(server.heads) >= 4)
        await device.stop()
        await task
    paths = [head["request"].split(" ")[1] for head in server.heads[:4]]
    assert paths == [VERIFICATION, HEART, VERIFICATION, HEART]
    assert [json.loads(server.bodies[n])["NotificationType"] for n in (0, 2)] == [0, 1]
    assert device.acknowledged == 1
    assert device.clock == datetime(2026, 11, 23, 9, 30)
