"""The emulated reader publishes what the protocol page shows."""

import json
from datetime import UTC, datetime

from emulators.iot_reader import IotReader

# protocols/scan-devices.md, Zebra IoT Connector; channel is left out
PAGE = (
    '{"data":{"eventNum":1,"format":"epc","idHex":"3035a537c8377540000003e9","antenna":1,"peakRssi":-47,"reads":3,'
    '"channel":911.25},"timestamp":"2026-11-23T00:59:01.123+0000","type":"SIMPLE"}'
)


def test_a_tag_is_told_as_on_the_page() -> None:
    wanted = json.loads(PAGE)
    del wanted["data"]["channel"]
    reader = IotReader("fx9600/tags")
    at = datetime(2026, 11, 23, 0, 59, 1, 123_000, tzinfo=UTC)
    assert json.loads(reader.seen("3035a537c8377540000003e9", at)) == wanted


def test_events_are_counted_up() -> None:
    reader = IotReader("fx9600/tags")
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert [json.loads(reader.seen("00", at))["data"]["eventNum"] for _ in range(3)] == [1, 2, 3]
    assert reader.emitted == 3
