"""Each capture of a scan device or a file decodes to what stands beside it, as the command line does it."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from gateway.device import Decoder
from gateway.profile import device_zone, load_profile
from shared.clock import from_ms
from shared.punch import Punch
from shared.scan import Scan

CAPTURES = Path(__file__).parents[2] / "captures"
FAMILIES = ("file_import", "llrp", "reader_mqtt", "scanner_serial")
FILES = sorted(path for family in FAMILIES for path in (CAPTURES / family).glob("*.json") if path.stem != "aim")


def seen(event: object) -> dict[str, object]:
    match event:
        case Punch():
            return {
                "user": event.user,
                "utc": from_ms(event.at).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "direction": event.direction.name,
                "method": event.method.name,
                "raw_codes": list(event.raw_codes),
                "native_seq": event.native_seq,
            }
        case Scan():
            return {
                "code": event.code,
                "utc": from_ms(event.at).strftime("%Y-%m-%dT%H:%M:%SZ") if event.at else None,
                "symbology": event.symbology,
                "native_seq": event.native_seq,
            }
    raise AssertionError(event)


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_capture_decodes_to_what_stands_beside_it(path: Path) -> None:
    capture: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    profile = load_profile(capture["profile"])
    assert profile.family == path.parent.name
    driver = import_module(f"gateway.drivers.{profile.family}.driver").DRIVER
    assert isinstance(driver, Decoder)
    data = bytes.fromhex(capture["hex"]) if "hex" in capture else capture["text"].encode()
    (decoded,) = driver.decode(data, profile, device_zone(profile, capture["zone"], "UTC"), "device")
    assert decoded.kind == capture["kind"]
    assert decoded.problems == ()
    assert [seen(event) for event in decoded.events] == capture["events"]


def test_there_are_captures() -> None:
    assert len(FILES) >= 8
