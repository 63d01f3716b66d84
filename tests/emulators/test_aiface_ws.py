"""The emulated terminal speaks WebSocket to an independent server and behaves as the protocol page says."""

import asyncio
import json
from datetime import datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve

from emulators.aiface_ws import AifaceTerminal, Faults

AT = datetime(2026, 11, 23, 8, 59, 1)


async def heard(device: AifaceTerminal, answers: dict[str, Any], count: int) -> list[str]:
    """Raw messages that a server hears which gives these answers."""
    texts: list[str] = []
    enough = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        async for text in connection:
            texts.append(str(text))
            if len(texts) >= count:
                enough.set()
            for name, answer in answers.items():
                if f'"{name}"' in str(text) and answer is not None:
                    await connection.send(json.dumps(answer))

    async with serve(handler, "127.0.0.1", 0) as server:
        device.port = next(iter(server.sockets)).getsockname()[1]
        running = asyncio.create_task(device.run())
        async with asyncio.timeout(10):
            await enough.wait()
        await device.stop()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    return texts


async def test_reg_is_repeated_until_answered_and_a_log_until_acknowledged() -> None:
    device = AifaceTerminal("S1", repeat_s=0.01)
    device.punch(1000, AT)
    silent = await heard(device, {}, 3)
    assert [json.loads(text)["cmd"] for text in silent[:3]] == ["reg"] * 3
    device = AifaceTerminal("S1", repeat_s=0.01)
    device.punch(1000, AT)
    texts = await heard(device, {"reg": {"ret": "reg", "result": True, "cloudtime": "2026-11-23 08:58:01"}}, 4)
    assert [json.loads(text)["cmd"] for text in texts[:4]] == ["reg", "sendlog", "sendlog", "sendlog"]
    assert device.acknowledged == 0


async def test_the_comma_of_old_firmware_and_fragments() -> None:
    device = AifaceTerminal("S1", repeat_s=0.01, faults=Faults(comma=True, fragments=7))
    device.punch(1000, AT)
    texts = await heard(device, {"reg": {"ret": "reg", "result": True}}, 2)
    assert ",]" in texts[1]
    assert '"cmd ":' in texts[1]


async def test_pages_are_of_50() -> None:
    device = AifaceTerminal("S1")
    for n in range(120):
        device.punch(n, AT)
    pages = [device._answer({"cmd": "getalllog", "stn": n == 0}) for n in range(4)]
    assert [len(page["record"]) for page in pages] == [50, 50, 20, 0]
    assert [(page["count"], page["from"], page["to"]) for page in pages[:2]] == [(120, 0, 49), (120, 50, 99)]
