"""Records a second that each family's decoder reads from what its terminals send, head and all, up to finished events.

CPU time: nothing waits. Pages are of the size that the family sends, so that the cost of a message is in it.
"""

import json
import struct
import time
from collections.abc import Callable
from importlib import import_module
from zoneinfo import ZoneInfo

from benchmarks.figure import Figure, figure
from gateway.device import Decoder
from gateway.profile import load_profile

NAME = "decode"
ZONE = ZoneInfo("Asia/Shanghai")
AT_LEAST_S = 0.4
TARGET = 10_000
"""Records a second: a full log of 100,000 is read in ten seconds on one core."""


def run() -> list[Figure]:
    """One figure for each family."""
    return [
        figure(f"decode {family}", _rate(family, profile, make()), "records/s", better="higher", target=TARGET)
        for family, profile, make in SAMPLES
    ]


def _rate(family: str, profile_name: str, sample: tuple[bytes, int]) -> float:
    driver = import_module(f"gateway.drivers.{family}.driver").DRIVER
    assert isinstance(driver, Decoder), family
    data, records = sample
    profile = load_profile(profile_name)
    found = sum(len(one.events) for one in driver.decode(data, profile, ZONE, "SN1"))
    assert found == records, f"{family}: {found} of {records} records decoded"
    rounds, begin = 0, time.process_time()
    while (took := time.process_time() - begin) < AT_LEAST_S:
        driver.decode(data, profile, ZONE, "SN1")
        rounds += 1
    return records * rounds / took


def _times(number: int) -> str:
    return f"2026-11-{1 + number // 1000 % 28:02} {8 + number % 12:02}:{number % 60:02}:{number // 60 % 60:02}"


def _zk4370() -> tuple[bytes, int]:
    second = ((26 * 12 + 10) * 31) * 86400
    rows = [
        struct.pack("<H24sBIB8s", 1, str(1000 + n % 500).encode(), 1, second + n, 0, bytes(8)) for n in range(20_000)
    ]
    return struct.pack("<I", 40 * len(rows)) + b"".join(rows), len(rows)


def _zk_adms() -> tuple[bytes, int]:
    rows = [f"{1000 + n % 500}\t{_times(n)}\t0\t15\t0\t0\t0\t0\t0\t0\n" for n in range(1000)]
    return "".join(rows).encode(), len(rows)


def _hikvision() -> tuple[bytes, int]:
    rows = [
        {
            "major": 5,
            "minor": 75,
            "time": _times(n).replace(" ", "T") + "+08:00",
            "employeeNoString": str(1000 + n),
            "cardReaderNo": 1,
            "doorNo": 1,
            "serialNo": 4711 + n,
            "currentVerifyMode": "cardOrFace",
            "attendanceStatus": "checkIn",
        }
        for n in range(30)
    ]
    page = {"searchID": "1", "responseStatusStrg": "MORE", "numOfMatches": 30, "totalMatches": 999, "InfoList": rows}
    return json.dumps({"AcsEvent": page}).encode(), len(rows)


def _dahua() -> tuple[bytes, int]:
    lines = ["found=1000"]
    for n in range(1000):
        row = {"RecNo": 8801 + n, "UserID": 1000 + n % 500, "CardNo": "", "CreateTime": 1_795_395_541 + n, "Method": 15}
        row |= {"Type": "Entry", "Status": 1, "ErrorCode": 0, "AttendanceState": 0, "Door": 0, "ReaderID": 1}
        lines += [f"records[{n}].{key}={value}" for key, value in row.items()]
    return ("\r\n".join(lines) + "\r\n").encode(), 1000


def _anviz() -> tuple[bytes, int]:
    """The pushed record of the worked example, again and again."""
    return bytes.fromhex("a500000007df00000e00000003e832956b55010000000084d1") * 1000, 1000


def _hanvon() -> tuple[bytes, int]:
    rows = [
        f'time="{_times(n)}" id="{1000 + n % 500}" name="WANG WEI" workcode="0" status="1" '
        'authority="0X55" card_src="from_check"'
        for n in range(1000)
    ]
    head = 'Return(result="success" dev_id="6710000000000001" total="1000"\n'
    return (head + "\n".join(rows) + ")").encode(), len(rows)


def _suprema() -> tuple[bytes, int]:
    rows = [
        {
            "id": str(31_542 + n),
            "server_datetime": "2026-11-23T00:59:02.00Z",
            "datetime": _times(n).replace(" ", "T") + ".00Z",
            "index": str(4711 + n),
            "user_id": {"user_id": str(1000 + n % 500)},
            "device_id": {"id": "541612345"},
            "event_type_id": {"code": "4867"},
            "tna_key": "1",
        }
        for n in range(500)
    ]
    return json.dumps({"EventCollection": {"rows": rows}, "Response": {"code": "0"}}).encode(), len(rows)


def _custom() -> tuple[bytes, int]:
    rows = [
        {"number": n, "user": str(1000 + n), "at": _times(n).replace(" ", "T") + "+08:00", "direction": "in"}
        for n in range(500)
    ]
    return json.dumps({"device": "SN1", "sent": "2026-11-23T08:59:01+08:00", "punches": rows}).encode(), len(rows)


def _scanner() -> tuple[bytes, int]:
    return "".join(f"]C1SF{n:013}\r" for n in range(1000)).encode(), 1000


SAMPLES: tuple[tuple[str, str, Callable[[], tuple[bytes, int]]], ...] = (
    ("zk4370", "zkteco/k40", _zk4370),
    ("zk_adms", "zkteco/senseface-2a", _zk_adms),
    ("hikvision", "hikvision/ds-k1t341am", _hikvision),
    ("dahua", "dahua/asi", _dahua),
    ("anviz", "anviz/c2-pro", _anviz),
    ("hanvon", "hanvon/f710", _hanvon),
    ("suprema", "suprema/biostar-2", _suprema),
    ("custom", "generic/custom", _custom),
    ("scanner_serial", "generic/aim-serial", _scanner),
)
