"""From a terminal to a row, through real processes, real MQTT and a real database."""

import time
from typing import TYPE_CHECKING

from tests.endtoend.counter import check_nothing_lost_or_doubled, number, rows
from tests.endtoend.feeder import Feeder
from tests.endtoend.installation import Installation, wait_until
from tests.support.loopback import wait_for_listener

if TYPE_CHECKING:
    from tests.endtoend.conftest import Install


def started(installation: Installation, feeder: Feeder) -> None:
    """Start everything and get one punch through."""
    installation.start()
    wait_for_listener(installation.push_port, lambda: installation.gateway.alive)
    feeder.push(1)
    wait_until(lambda: number(installation.database_url, "select count(*) from punches") == 1, 30, "one punch is a row")


def test_a_punch_becomes_a_row(install: "Install", serial: str) -> None:
    installation = install()
    feeder = Feeder(installation.push_port, serial)
    started(installation, feeder)
    ((terminal, code, second, offset, at_ms),) = rows(
        installation.database_url, "select terminal, user_code, at_device, utc_offset_s, at_ms from punches"
    )
    # 2 November 2026 00:00:00 on a terminal in Shanghai, eight hours ahead of UTC.
    assert (terminal, code, second, offset) == (serial, "1000", 1793577600, 28800)
    assert at_ms == (1793577600 - 28800) * 1000
    check_nothing_lost_or_doubled(installation.database_url, feeder.keys(1), feeder.keys(1))


def test_rel31_server_and_gateway_stop_within_ten_seconds_and_keep_all(install: "Install", serial: str) -> None:
    installation = install()
    feeder = Feeder(installation.push_port, serial)
    started(installation, feeder)
    feeder.push(500)
    for program in (installation.gateway, installation.server):
        begin = time.monotonic()
        assert program.stop(within_s=10) == 0, program.log[-3000:]
        assert time.monotonic() - begin < 10
    assert '"stopped"' in installation.server.log
    installation.server.start()
    installation.gateway.start()
    wait_until(
        lambda: number(installation.database_url, "select count(*) from punches") == 501, 60, "all punches stored"
    )
    check_nothing_lost_or_doubled(installation.database_url, feeder.keys(501), feeder.keys(501))
