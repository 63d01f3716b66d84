"""Facts of the machine and the report made of them."""

from pathlib import Path

import pytest

from gateway.buffer.outbox import OutboxStats
from gateway.driver import TerminalState
from gateway.health.machine import clock_synced, free_bytes, machine_id
from gateway.health.report import FILE, health_of, load, save
from shared.clock import Clocks
from shared.wire import TerminalHealth

CLOCKS = Clocks(lambda: 1_800_000_000_123, lambda: 77)
STATS = OutboxStats(
    backlog=12,
    oldest_unacked_ms=1_799_999_999_000,
    rows=40,
    quota_used_pct=71,
    free_bytes=2**30,
    refused=3,
    hours_left=None,
    alarms=("buffer_70", "damaged_row"),
)


def machine(root: Path, serial: str = "", cards: tuple[tuple[str, str, bool], ...] = ()) -> Path:
    """A file system with that mainboard serial and these network cards: name, address, real or virtual."""
    if serial:
        path = root / "sys/class/dmi/id/board_serial"
        path.parent.mkdir(parents=True)
        path.write_text(serial + "\n")
    for name, address, real in cards:
        card = root / "sys/class/net" / name
        card.mkdir(parents=True)
        (card / "address").write_text(address + "\n")
        if real:
            (card / "device").mkdir()
    return root


def test_a_copied_disk_has_another_machine_id(tmp_path: Path) -> None:
    """The file that images carry along counts for nothing."""
    for name in ("one", "other"):
        (tmp_path / name / "etc").mkdir(parents=True)
        (tmp_path / name / "etc/machine-id").write_text("0123456789abcdef\n")
    assert machine_id(machine(tmp_path / "one", "S1")) != machine_id(machine(tmp_path / "other", "S2"))


def test_the_same_hardware_has_the_same_id_whatever_is_plugged_in(tmp_path: Path) -> None:
    with_card = machine(tmp_path / "a", "S1", (("eth1", "00:00:5e:00:53:01", True),))
    assert machine_id(with_card) == machine_id(machine(tmp_path / "b", "S1"))


@pytest.mark.parametrize("serial", ["", "To Be Filled By O.E.M.", "Default string", "None"])
def test_without_a_true_serial_the_real_network_cards_tell(tmp_path: Path, serial: str) -> None:
    cards = (("eth0", "00:00:5e:00:53:01", True),)
    first = machine_id(machine(tmp_path / "a", serial, cards))
    virtual = machine_id(machine(tmp_path / "b", serial, (*cards, ("docker0", "02:42:ac:11:00:02", False))))
    assert first == virtual != "unknown"


def test_a_machine_without_any_number_is_unknown(tmp_path: Path) -> None:
    assert machine_id(tmp_path) == "unknown"


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    assert isinstance(clock_synced(), bool)
    assert machine_id() == machine_id()
    assert free_bytes(tmp_path) > 0


def test_rel30_health_tells_what_outbox_link_and_terminals_say() -> None:
    states = [
        TerminalState("door", "zkteco/k40", "SN1", "online", last_contact_ms=5, drift_ms=-1200, log_used=10),
        TerminalState("dock", "generic/aim-serial", None, "error", problem="no_device"),
    ]
    health = health_of(
        clocks=CLOCKS, software="muster 1", stats=STATS, terminals=states, alarms=("no_ack", "buffer_70"), dropped=4
    )
    assert (health.at, health.mono_ms, health.software) == (1_800_000_000_123, 77, "muster 1")
    assert (health.backlog, health.oldest_unacked_ms, health.quota_used_pct) == (12, 1_799_999_999_000, 71)
    assert (health.free_bytes, health.refused, health.dropped_health) == (2**30, 3, 4)
    assert health.alarms == ["buffer_70", "damaged_row", "no_ack"], "each once"
    assert health.terminals == [
        TerminalHealth(
            terminal="SN1",
            name="door",
            profile="zkteco/k40",
            state="online",
            last_contact_ms=5,
            drift_ms=-1200,
            log_used=10,
        ),
        TerminalHealth(terminal="dock", name="dock", profile="generic/aim-serial", state="error", problem="no_device"),
    ]


def test_the_copy_on_disk_is_the_last_report_or_none(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    health = health_of(clocks=CLOCKS, software="s", stats=STATS, terminals=[], alarms=(), dropped=0)
    save(health, tmp_path)
    assert load(tmp_path) == health
    (tmp_path / FILE).write_text('{"at": ')
    assert load(tmp_path) is None
    save(health, tmp_path / "gone")  # telemetry may drop: no error
