"""``muster gateway outbox`` beside a running outbox."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.buffer.commands import app
from shared.punch import Flag, Method, Punch
from shared.scan import Damaged
from tests.gateway.buffer.samples import NOON_S, Time, open_outbox, punch, scan


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings of a gateway whose outbox is in ``data``."""
    path = tmp_path / "gateway.toml"
    path.write_text(
        'id = "gw-0123456789"\ndata = "data"\nzone = "Asia/Shanghai"\n[broker]\npassword_file = "p"\n'
        "[buffer]\nquota_mib = 64\nballast_mib = 0\n"
    )
    return path


def outbox(config: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--config", str(config)])


async def test_list_export_and_stats_of_a_running_outbox(config: Path) -> None:
    running = open_outbox(config.parent / "data", Time())
    full = Punch(
        "T", "7", NOON_S, 28_800, (NOON_S - 28_800) * 1000, method=Method.FACE, raw_codes=(15, 0), flags=Flag.REALTIME
    )
    await running.put([punch(1), full, scan(3), Damaged("SC1", "noise", b"\xff\x00", NOON_S * 1000)])
    (held,) = await running.streams()
    await running.mark_acked([(held.stream, [(1, 1)])])

    (row,) = json.loads(outbox(config, "list", "--json").output)
    assert (row["stream"], row["first"], row["last"], row["unacked"]) == (held.stream.hex(), 1, 4, 3)
    assert held.stream.hex()[:12] in outbox(config, "list").output

    lines = [json.loads(line) for line in outbox(config, "export", "--unacked").output.splitlines()]
    assert [(line["seq"], line["event"]) for line in lines] == [(2, "punch"), (3, "scan"), (4, "damaged")]
    assert lines[0] == {
        "stream": held.stream.hex(),
        "seq": 2,
        "event": "punch",
        "terminal": "T",
        "user": "7",
        "at_device": NOON_S,
        "utc_offset_s": 28_800,
        "at": "2026-11-25T04:00:00+00:00",
        "direction": "unknown",
        "method": "face",
        "raw_codes": [15, 0],
        "native_seq": None,
        "drift_ms": None,
        "seen_ms": 0,
        "flags": ["realtime"],
    }
    assert (lines[1]["means"], lines[1]["code"]) == ("inbound", "YT000000000003")
    assert lines[2]["raw"] == "ff00"
    assert len(outbox(config, "export", "--stream", held.stream.hex()[:6].upper()).output.splitlines()) == 4

    facts = json.loads(outbox(config, "stats", "--json").output)
    assert (facts["backlog"], facts["rows"], facts["streams"], facts["keys"]) == (3, 4, 1, 2)
    assert facts["hours_left"] > 0
    assert facts["alarms"] == []
    assert "hours left" in outbox(config, "stats").output
    assert (await running.put([punch(9)])).accepted == 1, "looking disturbs nobody"
    await running.close()


async def test_what_can_not_be_shown_is_said_with_its_exit_code(config: Path) -> None:
    for command in ("list", "export", "stats"):
        missing = outbox(config, command)
        assert missing.exit_code == 2
        assert "start the gateway once" in missing.output
    assert outbox(config.parent / "none.toml", "list").exit_code == 2
    await open_outbox(config.parent / "data").close()
    nothing = outbox(config, "export", "--stream", "3f9a")
    assert (nothing.exit_code, "no stream begins with" in nothing.output) == (2, True)
    (config.parent / "data/outbox.db").write_bytes(b"nonsense" * 1000)
    damaged = outbox(config, "stats")
    assert (damaged.exit_code, "salvages" in damaged.output) == (1, True)


@pytest.mark.parametrize("command", ["list", "export", "stats"])
def test_help_shows_examples(command: str) -> None:
    shown = CliRunner().invoke(app, [command, "--help"])
    assert shown.exit_code == 0
    assert f"muster gateway outbox {command}" in shown.output
