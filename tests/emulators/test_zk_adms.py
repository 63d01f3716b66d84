"""The emulated push terminal behaves as the protocol page says terminals do; the server here knows nothing of ours."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from emulators.zk_adms import AdmsTerminal
from tests.support.loopback import free_port

AT = datetime(2026, 11, 23, 8, 59, 1)


class Server:
    """Answers by script: the next answer of a call, else its last one; keeps what was asked."""

    def __init__(self, **answers: list[tuple[int, str]]) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.port = 0
        self._answers = answers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = lines[0].split(" ")
        length = next((int(line.split(":")[1]) for line in lines if line.lower().startswith("content-length")), 0)
        body = await reader.readexactly(length)
        parts = urlsplit(target)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        call = parts.path.rsplit("/", 1)[1]
        name = query.get("table", call)
        self.asked.append((method, name, query, body))
        script = self._answers.get(name, [(200, "OK")])
        status, text = script.pop(0) if len(script) > 1 else script[0]
        head = f"HTTP/1.1 {status} X\r\nDate: Mon, 23 Nov 2026 00:59:01 GMT\r\nContent-Length: {len(text)}\r\n\r\n"
        writer.write((head + text).encode())
        writer.close()

    def bodies(self, name: str) -> list[bytes]:
        return [body for _, asked, _, body in self.asked if asked == name]


@asynccontextmanager
async def served(server: Server, device: AdmsTerminal) -> AsyncIterator[AdmsTerminal]:
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    device.port = listener.sockets[0].getsockname()[1]
    task = asyncio.create_task(device.run())
    try:
        yield device
    finally:
        await device.stop()
        await task
        listener.close()


async def acknowledged(device: AdmsTerminal, count: int) -> None:
    async with asyncio.timeout(10):
        while device.acknowledged < count:  # noqa: ASYNC110  # the emulator tells nobody
            await asyncio.sleep(0.005)


def greeting(stamp: str) -> tuple[int, str]:
    return 200, f"GET OPTION FROM: S1\nATTLOGStamp={stamp}\nStamp={stamp}\nErrorDelay=60\n"


def terminal(**how: object) -> AdmsTerminal:
    settings: dict[str, object] = {"poll_s": 0.01, "error_delay_s": 0.01, **how}
    return AdmsTerminal("S1", **settings)  # type: ignore[arg-type]


async def test_rows_are_sent_again_on_anything_but_200_and_ok() -> None:
    server = Server(
        cdata=[greeting("9999")],
        ATTLOG=[(500, "OK"), (404, "OK: 1"), (200, ""), (200, "<html>"), (302, "OK"), (200, "OK: 1")],
    )
    device = terminal()
    device.punch("1000", AT)
    async with served(server, device):
        await acknowledged(device, 1)
    assert server.bodies("ATTLOG") == [b"1000\t2026-11-23 08:59:01\t0\t1\t0\t0\n"] * 6


async def test_a_terminal_without_options_does_not_push() -> None:
    server = Server(cdata=[(200, "OK"), (200, "OK"), greeting("0")])
    device = terminal()
    device.punch("1000", AT)
    async with served(server, device):
        await acknowledged(device, 1)
    names = [name for _, name, _, _ in server.asked]
    assert names[:4] == ["cdata", "cdata", "cdata", "ATTLOG"]


async def test_the_stamp_decides_what_is_sent() -> None:
    server = Server(cdata=[greeting("100002")])
    device = terminal(columns=2)
    for n in range(4):
        device.punch(f"{n}", AT + timedelta(seconds=n))
    async with served(server, device):
        await acknowledged(device, 4)
    assert server.bodies("ATTLOG") == [b"2\t2026-11-23 08:59:03\n3\t2026-11-23 08:59:04\n"]
    assert next(query["Stamp"] for _, name, query, _ in server.asked if name == "ATTLOG") == "100004"


async def test_batches_have_the_size_asked_for_and_come_twice_when_told() -> None:
    server = Server(cdata=[greeting("0")])
    device = terminal(batch=1000, send_twice=True)
    for n in range(1500):
        device.punch(f"{n}", AT + timedelta(seconds=n))
    async with served(server, device):
        await acknowledged(device, 1500)
    assert [body.count(b"\n") for body in server.bodies("ATTLOG")] == [1000, 1000, 500, 500]


async def test_a_row_of_an_x903_has_eleven_fields_the_last_empty() -> None:
    server = Server(cdata=[greeting("0")])
    device = terminal(columns=10, trailing_tab=True)
    device.punch("1000", AT)
    async with served(server, device):
        await acknowledged(device, 1)
    (body,) = server.bodies("ATTLOG")
    fields = body.decode().removesuffix("\n").split("\t")
    assert (len(fields), fields[-1]) == (11, "")


async def test_the_security_dialect_registers_before_it_pushes() -> None:
    server = Server(
        cdata=[(200, "OK")],
        registry=[(200, "RegistryCode=abc")],
        push=[(200, "PushProtVer=3.1.2\r\nErrorDelay=60\r\n")],
    )
    device = terminal(dialect="acc")
    device.punch("1000", AT, verify=15)
    async with served(server, device):
        await acknowledged(device, 1)
    assert [name for _, name, _, _ in server.asked][:4] == ["cdata", "registry", "push", "rtlog"]
    assert b"pin=1000\t" in server.bodies("rtlog")[0]
    assert b"\tindex=1\t" in server.bodies("rtlog")[0]


async def test_commands_are_run_and_answered_with_their_code() -> None:
    server = Server(
        cdata=[greeting("0")], getrequest=[(200, "C:7:INFO\nC:8:REBOOT\nC:9:DANCE"), (200, "C:10:CHECK"), (200, "OK")]
    )
    device = terminal()
    async with served(server, device):
        async with asyncio.timeout(10):
            while len(server.bodies("devicecmd")) < 4 or len(server.bodies("cdata")) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    heads = [body.split(b"\n")[0] for body in server.bodies("devicecmd")]
    assert heads[:4] == [
        b"ID=7&Return=0&CMD=INFO",
        b"ID=8&Return=0&CMD=REBOOT",
        b"ID=9&Return=-22&CMD=DANCE",
        b"ID=10&Return=0&CMD=CHECK",
    ]


async def test_a_lost_clock_counts_from_2000_until_the_server_dates_an_answer() -> None:
    device = terminal()
    device.lose_power()
    device.punch("1", AT)
    device.punch("2", AT + timedelta(seconds=5))
    async with served(Server(cdata=[greeting("0")]), device):
        await acknowledged(device, 2)
    device.punch("3", AT + timedelta(minutes=5))
    assert [punch.at for punch in device.log] == [
        datetime(2000, 1, 1),
        datetime(2000, 1, 1, 0, 0, 5),
        AT + timedelta(minutes=5),
    ]
    assert device.clock == datetime(2026, 11, 23, 0, 59, 1)


async def test_a_server_that_is_away_is_tried_again() -> None:
    device = terminal()
    device.punch("1000", AT)
    device.port = free_port()
    assert (await device.request("GET", "ping", {})).status == 0
    task = asyncio.create_task(device.run())
    server = Server(cdata=[greeting("0")])
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    device.port = listener.sockets[0].getsockname()[1]
    await acknowledged(device, 1)
    await device.stop()
    await task
    listener.close()
