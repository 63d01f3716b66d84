"""Every worked example of the protocol pages says on the command line what the page says that it says."""

import json
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.device import app
from tests.support.captures import captures

CAPTURES = captures()
MORNING, EVENING = "2026-11-23T00:59:01Z", "2026-11-23T10:02:03Z"
EPC = "3035a537c8377540000003e9"
PUNCHES = {
    # example: profile, then user, time in UTC, direction and method of each punch, in order
    "aiface_ws/worked-example": ("timmy/tfs30", [f"1000 {MORNING} in face"]),
    "akuvox/worked-example": ("akuvox/x916", [f"1000 {MORNING} unknown face"]),
    "anviz/worked-example": (
        "anviz/c2",
        [f"1000 {MORNING} in finger", f"4294967301 {EVENING} out card", f"1000 {MORNING} in finger"],
    ),
    "axis/worked-example": ("axis/a1601", [f"Axis-00408c184bdb:1351593020.1 {MORNING} unknown card"]),
    "controlid/access-logs": ("controlid/idface", [f"1000 {MORNING} unknown unknown"]),
    "controlid/dao": ("controlid/idface", [f"1000 {MORNING} unknown unknown"]),
    "dahua/report-lines": ("intelbras/ss-35xx-mf-w", [f"1000 {MORNING} out card"]),
    "dahua/search": ("dahua/asi", [f"1000 {MORNING} in face"]),
    "dahua/stream": ("dahua/asi", [f"1000 {MORNING} in face"]),
    "file_import/afd-1510": ("generic/afd", ["person-1 2026-11-23T00:59:00Z unknown unknown"]),
    "file_import/afd-671": ("generic/afd", ["person-1 2026-11-23T11:59:00Z unknown unknown"]),
    "file_import/attlog": ("zkteco/usb-attlog", [f"1000 {MORNING} in finger"]),
    "file_import/glg": ("generic/glg", [f"1000 {MORNING} in finger"]),
    "file_import/henry-orion": ("henry/orion-5", [f"00000000000000001000 {MORNING} unknown unknown"]),
    "fkweb/worked-example": ("biomax/fk", [f"1000 {MORNING} in face"]),
    "hanvon/worked-example": ("hanvon/f710", [f"1000 {MORNING} in unknown", f"1001 {EVENING} out unknown"]),
    "hikvision/push": ("hikvision/ds-k1t342mwx", [f"1000 {MORNING} in face"]),
    "hikvision/search": ("hikvision/ds-k1t341am", [f"1000 {MORNING} in face"]),
    "matrix_cosec/count": ("matrix/cosec-vega", []),
    "matrix_cosec/flat": ("matrix/cosec-vega", [f"1000 {MORNING} in unknown"]),
    "suprema/event-log": ("suprema/biostar-2", [f"1000 {MORNING} in face"]),
    "suprema/events": ("suprema/biostar-2", [f"1000 {MORNING} in face"]),
    "twon/worked-example": ("2n/verso", [f"3b0fd3ae-0000-4000-8000-000000001000 {MORNING} unknown unknown"]),
    "uniview/worked-example": ("uniview/oet", [f"1000 {MORNING} unknown face"]),
    "zk4370/worked-example": (
        "zkteco/k40",
        [f"1000 {MORNING} in finger", f"A-77 {EVENING} out face", f"1000 {MORNING} in face"],
    ),
    "zk_adms/worked-example": ("solution/x903", [f"1000 {MORNING} in finger", f"A-77 {EVENING} out face"]),
}
SCANS = {
    "llrp/report": ("impinj/speedway-r420", [EPC]),
    "reader_mqtt/zebra": ("zebra/fx9600-iot", [EPC]),
    "scanner_serial/rdm6300": ("generic/rdm6300", ["0107D15BC4"]),
    "scanner_serial/aim": (
        "generic/aim-serial",
        [
            *("YT1234567890123", "010690123456789210L7\x1d15261231", "SF1234567890123"),
            *("01069012345678921526123110L7", "6901234567892", "96385074", "01069012345678921526123110L7"),
            *("06901234567892", "快递单号", "JT1234567890123"),
            *("]J0JT1234567890123", "]C9JT1234567890123", "JT1234567890123"),
        ],
    ),
}
OWN_FORMS = {"custom", "handheld_http"}
"""Families whose messages are ours: their pages are the README and docs/howto, with examples tested there."""
LIKE_SERIAL = {"scanner_hid", "scanner_ssi", "scanner_tcp"}
"""No capture of one is published; what they read is what a serial scanner reads."""


def decode(name: str, profile: str, folder: Path) -> list[dict[str, list[dict[str, str]]]]:
    (folder / "capture").write_bytes(CAPTURES[name])
    family = "2n" if name.startswith("twon/") else name.partition("/")[0]
    done = CliRunner().invoke(app, ["decode", "--family", family, "--profile", profile, str(folder / "capture")])
    assert done.exit_code == 0, done.output
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["problems"] for one in found if one["problems"]] == []
    return found


@pytest.mark.parametrize("name", sorted(PUNCHES))
def test_the_punches_of_a_worked_example(name: str, tmp_path: Path) -> None:
    profile, expected = PUNCHES[name]
    punches = [punch for one in decode(name, profile, tmp_path) for punch in one["punches"]]
    assert [f"{p['user']} {p['utc']} {p['direction']} {p['method']}" for p in punches] == expected


@pytest.mark.parametrize("name", sorted(SCANS))
def test_the_scans_of_a_worked_example(name: str, tmp_path: Path) -> None:
    profile, expected = SCANS[name]
    assert [scan["code"] for one in decode(name, profile, tmp_path) for scan in one["scans"]] == expected


def test_no_capture_and_no_family_is_left_out() -> None:
    assert set(CAPTURES) == {*PUNCHES, *SCANS}
    shown = {"2n" if name.startswith("twon/") else name.partition("/")[0] for name in CAPTURES}
    assert {entry.name for entry in entry_points(group="muster.drivers")} - shown == OWN_FORMS | LIKE_SERIAL
