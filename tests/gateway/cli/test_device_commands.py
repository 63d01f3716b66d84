"""Captures in, JSON lines out; and a proxy that writes captures which may be given away."""

import asyncio
import json
from datetime import datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from emulators.zk4370 import ZkTerminal, ZkUser
from emulators.zk_adms import AdmsTerminal
from gateway.cli.decode import from_hex
from gateway.cli.device import app
from gateway.cli.record import address
from gateway.config import TerminalConfig
from gateway.drivers.zk4370.driver import DRIVER
from shared.clock import system_clocks
from shared.errors import ConfigError
from tests.gateway.cli.depot import recording
from tests.support.recording_sink import terminal

CAPTURES = Path(__file__).parents[2] / "captures"
ZK = CAPTURES / "zk4370" / "worked-example.hex"
ATTLOG = json.loads((CAPTURES / "zk_adms" / "worked-example.json").read_text())["body"]
PUNCH = {
    "user": "1000",
    "local_time": "2026-11-23T08:59:01",
    "utc": "2026-11-23T00:59:01Z",
    "direction": "in",
    "method": "finger",
    "raw_codes": [1, 0],
    "native_seq": 1,
}


def decode(*words: str | Path, typed: bytes | str = "") -> Result:
    return CliRunner().invoke(app, ["decode", *map(str, words)], input=typed)


def lines(done: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_capture_becomes_json_lines_with_every_field_of_a_punch() -> None:
    done = decode("--family", "zk4370", "--hex", ZK)
    assert done.exit_code == 0, done.output
    (log,) = [line for line in lines(done) if line["kind"] == "log"]
    assert list(log) == ["kind", "punches", "health", "problems"]
    assert isinstance(log["punches"], list)
    assert log["punches"][0] == PUNCH
    assert {"code": "clock", "clock": "2026-11-23T09:00:00"} in [f for line in lines(done) for f in line["health"]]  # type: ignore[attr-defined]


def test_standard_input_is_a_file_and_the_zone_is_that_of_the_terminal() -> None:
    done = decode("--family", "zk_adms", "--profile", "solution/x903", "--zone", "+05:30", "-", typed=ATTLOG)
    assert done.exit_code == 0, done.output
    (told,) = lines(done)
    assert isinstance(told["punches"], list)
    assert [punch["utc"] for punch in told["punches"]] == ["2026-11-23T03:29:01Z", "2026-11-23T12:32:03Z"]


def test_scans_are_told_where_a_file_holds_scans(tmp_path: Path) -> None:
    (tmp_path / "reads").write_bytes(b"]C1YT1234567890123\r")
    done = decode("--profile", "generic/aim-serial", tmp_path / "reads")
    (told,) = lines(done)
    assert isinstance(told["scans"], list)
    assert [(scan["code"], scan["symbology"]) for scan in told["scans"]] == [("YT1234567890123", "]C1")]


def test_something_with_problems_exits_with_1_and_shows_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"1\t2026-02-30 08:59:01\n2\t2026-11-23 08:59:01\n")
    (tmp_path / "worse").write_bytes(b"what is this")
    done = decode("--family", "zk_adms", tmp_path / "bad", tmp_path / "worse")
    assert done.exit_code == 1
    first, second = lines(done)
    assert first["problems"] == [{"code": "bad_time", "text": "no punch", "raw": b"1\t2026-02-30 08:59:01".hex()}]
    assert isinstance(first["punches"], list)
    assert len(first["punches"]) == 1
    assert (second["kind"], second["file"]) == ("unknown", str(tmp_path / "worse"))


@pytest.mark.parametrize(
    "words",
    [
        ["file"],
        ["--family", "no_such", "file"],
        ["--family", "zk4370", "no-such-file"],
        ["--family", "zk4370", "--profile", "solution/x903", "file"],
        ["--family", "zk4370", "--hex", "file"],
        ["--family", "zk4370", "--zone", "China", "file"],
        ["--family", "zk4370"],
    ],
)
def test_wrong_use_exits_with_2(words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no hex")
    monkeypatch.chdir(tmp_path)
    assert decode(*words).exit_code == 2


def test_hexadecimal_lines_may_have_marks_blanks_and_comments() -> None:
    assert from_hex(b"# a\n> 00 01\n< ff # b\n\n", "x") == b"\x00\x01\xff"


def test_addresses_are_taken_apart() -> None:
    assert address("4371", "--listen", "127.0.0.1") == ("127.0.0.1", 4371)
    assert address("gw:80", "--to", None) == ("gw", 80)
    for text in ("", "gw", "gw:x", "gw:70000", ":80"):
        with pytest.raises(ConfigError):
            address(text, "--to", None)


# record


async def test_a_recorded_pull_decodes_and_holds_no_secrets(tmp_path: Path) -> None:
    emulator = ZkTerminal("SN1", users=[ZkUser(1, "1000", "SECRET", password="PASS")])
    emulator.punch("1000", datetime(2026, 11, 23, 8, 59, 1))
    await emulator.start()
    out = tmp_path / "k40.hex"
    async with recording("zk4370", (emulator.host, emulator.port), out) as port:
        config = TerminalConfig(name="door", profile="zkteco/k40", host="127.0.0.1", port=port)
        async with DRIVER.open(terminal(config), system_clocks()) as device:
            assert [user.name for user in await device.users()] == ["SECRET"]
            assert [event async for event in device.log()]
    await emulator.stop()
    assert out.stat().st_mode & 0o777 == 0o600
    assert b"SECRET".hex() not in out.read_text()
    done = decode("--family", "zk4370", "--hex", out)
    assert done.exit_code == 0, done.output
    assert [line["punches"] for line in lines(done) if line["punches"]] == [[PUNCH]]


async def test_a_recorded_push_decodes_and_holds_no_secrets(tmp_path: Path) -> None:
    async def server(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK")
        await writer.drain()
        writer.close()

    listener = await asyncio.start_server(server, "127.0.0.1", 0)
    out = tmp_path / "gate.hex"
    async with recording("zk_adms", ("127.0.0.1", listener.sockets[0].getsockname()[1]), out) as port:
        gate = AdmsTerminal("CK1", "127.0.0.1", port)
        assert (await gate.upload("ATTLOG", ATTLOG.encode())).ok
        assert (await gate.upload("OPERLOG", b"USER PIN=1\tName=SECRET\n")).ok
    listener.close()
    assert b"SECRET".hex() not in out.read_text()
    assert sum(line.startswith("<") for line in out.read_text().splitlines()) == 2
    done = decode("--family", "zk_adms", "--profile", "solution/x903", "--hex", out)
    assert done.exit_code == 0, done.output
    assert sum(len(line["punches"]) for line in lines(done) if isinstance(line["punches"], list)) == 2


async def test_what_is_not_the_protocol_passes_through_and_is_not_kept(tmp_path: Path) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(100))
        writer.close()

    listener = await asyncio.start_server(echo, "127.0.0.1", 0)
    to = ("127.0.0.1", listener.sockets[0].getsockname()[1])
    for family, more, kept in (("zk4370", (), False), ("", ("--raw",), True)):
        out = tmp_path / f"{kept}.hex"
        async with recording(family, to, out, *more) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"password=SECRET")
            assert await reader.read() == b"password=SECRET"
            writer.close()
        assert (b"SECRET".hex() in out.read_text()) is kept
        assert ("not kept" in out.read_text()) is not kept
    listener.close()


@pytest.mark.parametrize("words", [[], ["--family", "scanner_serial"], ["--family", "zk4370", "--out", "there"]])
def test_a_recording_that_could_give_away_names_is_refused(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").write_text("kept")
    done = CliRunner().invoke(app, ["record", "--listen", "0", "--to", "127.0.0.1:1", "--out", "new", *words])
    assert done.exit_code == 2, done.output
    assert (tmp_path / "there").read_text() == "kept"
    assert not (tmp_path / "new").exists()
