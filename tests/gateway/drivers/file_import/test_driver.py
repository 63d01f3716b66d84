"""A watched folder, into the outbox."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gateway.config import TerminalConfig
from gateway.drivers.file_import import driver
from gateway.drivers.file_import.driver import DRIVER, Folder
from gateway.profile import device_zone, load_profile
from shared.errors import ConfigError, RetryableError
from shared.punch import Direction, Method, Punch
from tests.support.recording_sink import NOW_MS, RecordingSink, TurnedClock, context, terminal, until

LINE = "     1000\t2026-11-23 08:59:01\t1\t0\t1\t0\r\n"
PERSON = "012345678900"
MARK = f"0000001273231120260859{PERSON}\r\n"


class Stick:
    """A folder, the driver that watches it, and the outbox."""

    def __init__(self, path: Path, profile: str = "zkteco/usb-attlog", **settings: object) -> None:
        self.path = path / "stick"
        self.path.mkdir(exist_ok=True)
        self.sink = RecordingSink()
        self.config = TerminalConfig(name="yard", profile=profile, folder=self.path, **settings)  # type: ignore[arg-type]
        self.plug()

    def plug(self) -> None:
        """A gateway that starts anew with the same outbox."""
        self.terminal = terminal(self.config)
        self.folder = Folder(self.terminal, context(self.sink, TurnedClock()))

    def write(self, name: str, text: str) -> Path:
        path = self.path / name
        path.write_bytes(text.encode())
        return path

    async def read(self) -> None:
        """Two looks: the first sees, the second finds it unchanged."""
        await self.folder.look()
        await self.folder.look()


async def test_a_file_becomes_punches(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    stick.write("CGKK000000001_attlog.dat", LINE)
    await stick.read()
    assert stick.sink.events == [
        Punch(
            terminal="CGKK000000001",
            user="1000",
            at_device=NOW_MS // 1000 + 8 * 3600,
            utc_offset_s=8 * 3600,
            at=NOW_MS,
            direction=Direction.IN,
            method=Method.FINGER,
            raw_codes=(1, 0, 0),
            seen_ms=77,
        )
    ]
    assert stick.terminal.state.state == "online"
    assert stick.terminal.state.problem is None


@pytest.mark.parametrize(
    ("name", "serial", "station"),
    [
        ("1_attlog.dat", None, "yard"),
        ("1_attlog.dat", "A8N1", "A8N1"),
        ("CGKK000000001_attlog.dat", None, "CGKK000000001"),
    ],
)
async def test_the_terminal_is_its_serial_number(tmp_path: Path, name: str, serial: str | None, station: str) -> None:
    stick = Stick(tmp_path, serial=serial)
    stick.write(name, LINE)
    await stick.read()
    assert [punch.terminal for punch in stick.sink.punches] == [station]


async def test_a_file_of_another_terminal_is_left_to_it(tmp_path: Path) -> None:
    stick = Stick(tmp_path, serial="A8N5230560123")
    stick.write("CGKK000000001_attlog.dat", LINE)
    stick.write("holiday.jpg", LINE)
    await stick.read()
    assert stick.sink.events == []


async def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    path = stick.write("1_attlog.dat", LINE[:20])
    assert await stick.folder.look()
    path.write_text(LINE)
    assert await stick.folder.look()
    assert stick.sink.events == []
    assert not await stick.folder.look()
    assert len(stick.sink.punches) == 1


async def test_the_source_is_never_changed(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    path = stick.write("1_attlog.dat", LINE + "garbage\r\n")
    path.chmod(0o444)
    before = path.stat()
    await stick.read()
    after = path.stat()
    assert path.read_bytes() == (LINE + "garbage\r\n").encode()
    assert (before.st_mtime_ns, before.st_ino, before.st_mode) == (after.st_mtime_ns, after.st_ino, after.st_mode)
    assert [entry.name for entry in stick.path.iterdir()] == ["1_attlog.dat"]


async def test_a_file_is_known_by_its_digest_after_a_restart_and_under_another_name(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    path = stick.write("1_attlog.dat", LINE + "garbage\r\n")
    await stick.read()
    events, puts = list(stick.sink.events), len(stick.sink.puts)
    path.rename(stick.path / "copy_attlog.dat")
    stick.plug()
    await stick.read()
    assert (stick.sink.events, len(stick.sink.puts)) == (events, puts)


async def test_a_file_that_grew_gives_its_new_lines_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = Stick(tmp_path)
    stick.write("1_attlog.dat", LINE + "garbage\r\n")
    await stick.read()
    stick.write("1_attlog.dat", LINE + "garbage\r\n" + LINE.replace("08:59:01", "18:02:30"))
    await stick.read()
    assert [punch.at - NOW_MS for punch in stick.sink.punches] == [0, 32_609_000]
    assert len(stick.sink.damaged) == 1, "a bad line is told once"
    imported = [line for line in capsys.readouterr().out.splitlines() if "imported" in line]
    assert "accepted=1 " in imported[-1]
    assert "duplicate=1 " in imported[-1]


async def test_counts_of_a_file_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stick = Stick(tmp_path)
    stick.write("1_attlog.dat", LINE * 3 + "garbage\r\n")
    await stick.read()
    told = capsys.readouterr().out
    for count in ("read=4", "accepted=1", "duplicate=2", "rejected=1"):
        assert count in told


async def test_a_rejected_line_goes_to_quarantine_with_its_place(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    stick.write("1_attlog.dat", LINE + "garbage\r\n")
    await stick.read()
    (damaged,) = stick.sink.damaged
    assert (damaged.source, damaged.reason, damaged.raw) == ("yard", "bad_line", b"1_attlog.dat:2: garbage")
    assert stick.terminal.state.problem == "rejected_lines"


async def test_a_file_of_another_kind_is_one_damaged_row_and_others_go_on(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    stick.write("0_attlog.dat", "x\n" * 5000)
    stick.write("1_attlog.dat", LINE)
    await stick.read()
    assert [event.reason for event in stick.sink.damaged] == ["bad_file"]
    assert len(stick.sink.punches) == 1


async def test_many_bad_lines_share_rows_and_none_is_left_out(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    stick.write("1_attlog.dat", LINE + "".join(f"bad {n}\n" for n in range(3000)))
    await stick.read()
    assert len(stick.sink.damaged) < 110
    raw = b"\n".join(event.raw for event in stick.sink.damaged)
    assert all(f": bad {n}".encode() in raw for n in range(3000))


async def test_rel01_cursor_after_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SLICE", 10)
    stick = Stick(tmp_path)
    lines = [LINE.replace("08:59:01", f"08:{n // 60:02}:{n % 60:02}") for n in range(35)]
    stick.write("1_attlog.dat", "".join(lines) + "bad\n" * 1)
    refuse_from(stick.sink, 3)
    with pytest.raises(RetryableError):
        await stick.read()
    assert stick.terminal.state.problem == "buffer_refused"
    assert len(stick.sink.punches) == 20
    stick.plug()
    stick.sink.put = RecordingSink.put.__get__(stick.sink)  # type: ignore[method-assign]
    await stick.read()
    assert len(stick.sink.punches) == 35
    assert stick.sink.repeats == 0, "the reading goes on where it stopped"
    assert len(stick.sink.damaged) == 1
    assert all(events <= 10 for events, _ in stick.sink.puts)


def refuse_from(sink: RecordingSink, number: int) -> None:
    put: Callable[..., object] = sink.put

    async def counted(*what: object) -> object:
        if len(sink.puts) + 1 >= number:
            raise RetryableError("the disk is full")
        return await put(*what)  # type: ignore[misc]

    sink.put = counted  # type: ignore[assignment]


async def test_a_stick_that_is_pulled_is_shown_and_comes_back(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    stick.path.rmdir()
    await stick.folder.look()
    assert (stick.terminal.state.state, stick.terminal.state.problem) == ("offline", "folder_missing")
    stick.path.mkdir()
    stick.write("1_attlog.dat", LINE)
    await stick.read()
    assert (stick.terminal.state.state, stick.terminal.state.problem) == ("online", None)
    assert len(stick.sink.punches) == 1


async def test_a_link_on_a_stick_leads_nowhere(tmp_path: Path) -> None:
    stick = Stick(tmp_path)
    (tmp_path / "secret").write_text("root:secret\n")
    (stick.path / "1_attlog.dat").symlink_to(tmp_path / "secret")
    os.mkfifo(stick.path / "2_attlog.dat")
    await stick.read()
    assert stick.sink.events == []


async def test_a_link_that_takes_a_files_place_is_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("root:secret\n")
    (tmp_path / "1_attlog.dat").symlink_to(secret)
    facts = secret.stat()
    with pytest.raises(OSError, match="symbolic"):
        driver.read_bytes(tmp_path / "1_attlog.dat", driver.Seen("1_attlog.dat", facts.st_size, facts.st_mtime_ns))
    assert Stick(tmp_path).folder._list() == set()
    (tmp_path / "stick" / "2_attlog.dat").symlink_to(secret)
    assert Stick(tmp_path).folder._list() == set()


async def test_the_task_finds_a_file_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "SETTLE_S", 0.02)
    stick = Stick(tmp_path, poll_s=0.02)
    (task,) = DRIVER.tasks([stick.terminal], context(stick.sink, TurnedClock()))
    running: asyncio.Task[None] = asyncio.create_task(task.run())  # type: ignore[arg-type]
    stick.write("1_attlog.dat", LINE)
    await until(lambda: bool(stick.sink.punches))
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


async def test_sec11_national_ids_are_never_stored_nor_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "pis.key"
    key.write_text("sixteen-random-characters")
    stick = Stick(tmp_path, "generic/afd", key_file=key)
    stick.write("AFD001.txt", MARK + MARK.replace("23112026", "31022026") + MARK.replace("0859", "1802"))
    await stick.read()
    users = {punch.user for punch in stick.sink.punches}
    assert len(stick.sink.punches) == 2
    assert len(users) == 1
    assert users.pop().startswith("id-")
    everything = bytes(stick.sink.raw) + b"".join(stick.sink.cursors.values()) + capsys.readouterr().out.encode()
    assert PERSON.encode() not in everything
    assert PERSON[1:].encode() not in everything


def test_afd_needs_a_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="key_file"):
        Stick(tmp_path, "generic/afd")
    key = tmp_path / "short.key"
    key.write_text("secret")
    with pytest.raises(ConfigError, match="16") as error:
        Stick(tmp_path, "generic/afd", key_file=key)
    assert "secret" not in str(error.value)


def test_settings_that_can_not_work_are_named() -> None:
    with pytest.raises(ConfigError, match="folder"):
        Folder(terminal(TerminalConfig(name="x", profile="generic/glg")), context(RecordingSink(), TurnedClock()))
    wrong = TerminalConfig(name="x", profile="zebra/serial", folder=Path("x"))
    with pytest.raises(ConfigError, match="file"):
        Folder(terminal(wrong), context(RecordingSink(), TurnedClock()))


async def test_words_that_the_profile_does_not_know_are_told(tmp_path: Path) -> None:
    stick = Stick(tmp_path, "generic/glg")
    stick.write("GLG_001.TXT", "1\t1\t1000\t\tDutyOn\tIris\t2026-11-23 08:59:01\n")
    await stick.read()
    (punch,) = stick.sink.punches
    assert (punch.direction, punch.method) == (Direction.IN, Method.UNKNOWN)
    assert stick.terminal.state.problem == "unknown_word"


def test_a_decoded_file_can_be_shown() -> None:
    profile = load_profile("generic/afd")
    zone = device_zone(profile, None, "America/Sao_Paulo")
    (decoded,) = DRIVER.decode((MARK + "junk\n").encode(), profile, zone, "rep")
    (punch,) = decoded.events
    assert isinstance(punch, Punch)
    assert (punch.user, punch.native_seq, punch.utc_offset_s) == ("person-1", 127, -3 * 3600)
    assert [problem.code for problem in decoded.problems] == ["bad_line"]
