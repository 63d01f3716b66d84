"""What a terminal of each family sends at one time, made up for measuring; pages are as large as the family's."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

from emulators.scanner_hid import HidScanner


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


def _aiface_ws() -> tuple[bytes, int]:
    rows = [{"enrollid": 1000 + n, "time": _times(n), "mode": 8, "inout": 0, "event": 0} for n in range(50)]
    page = {"cmd": "sendlog", "sn": "ZX0000000001", "count": 50, "logindex": 10, "record": rows}
    return json.dumps(page).encode(), len(rows)


def _fkweb() -> tuple[bytes, int]:
    """One punch a message: the family sends no pages."""
    row = {"user_id": "1000", "verify_mode": 0x40000000, "io_mode": 0x01000000, "io_time": "20261123085901"}
    text = json.dumps({**row, "fk_bin_data_lib": "FKDataHS102", "log_image": None}).encode() + b"\0"
    return struct.pack("<I", len(text)) + text, 1


def _uniview() -> tuple[bytes, int]:
    """One punch a message, as they are sent."""
    person = {"PersonCode": "1000", "PersonName": "WANG WEI"}
    match = {"ID": 31, "LibID": 3, "LibType": 3, "MatchStatus": 1, "MatchPersonID": 5, "MatchPersonInfo": person}
    face = {"ID": 31, "Timestamp": 1_795_395_541, "CapSrc": 1}
    told = {"Seq": 31, "DeviceCode": "2102TEST", "Timestamp": 1_795_395_542, "NotificationType": 0}
    told |= {"FaceInfoNum": 1, "FaceInfoList": [face], "CardInfoNum": 0, "CardInfoList": []}
    return json.dumps({**told, "LibMatInfoNum": 1, "LibMatInfoList": [match]}).encode(), 1


def _controlid() -> tuple[bytes, int]:
    fixed = {"event": 7, "device_id": 900_001, "identifier_id": 0, "portal_id": 1, "identification_rule_id": 0}
    fixed |= {"card_value": 0, "log_type_id": -1}
    rows = [{"id": 41 + n, "time": 1_795_424_341 + n, "user_id": 1000 + n, **fixed} for n in range(500)]
    return json.dumps({"access_logs": rows}).encode(), len(rows)


def _matrix_cosec() -> tuple[bytes, int]:
    row = "<roll-over-count>2</roll-over-count><seq-No>{}</seq-No><date>23112026</date><time>085901</time>"
    row += "<event-id>101</event-id><user-id>1000</user-id><detail-1>1000</detail-1><detail-2>0</detail-2>"
    rows = [row.format(77 + n) for n in range(100)]
    return f"<COSEC_API><Response-Code>0</Response-Code>{''.join(rows)}</COSEC_API>".encode(), len(rows)


def _akuvox() -> tuple[bytes, int]:
    fixed = {"Type": "4", "Name": "WANG WEI", "Status": "0", "Date": "20261123"}
    rows = [{"ID": str(n + 1), "Code": str(1000 + n), "Time": f"08:{n:02}:01", **fixed} for n in range(20)]
    return json.dumps({"retcode": 0, "action": "get", "message": "OK", "data": {"num": 20, "item": rows}}).encode(), 20


def _twon() -> tuple[bytes, int]:
    rows = [
        {
            "id": n,
            "tzShift": 480,
            "utcTime": 1_795_395_541 + n,
            "upTime": 5021 + n,
            "event": "UserAuthenticated",
            "params": {"ap": 0, "session": n, "name": "WANG WEI", "uuid": f"3b0fd3ae-0000-4000-8000-{n:012}"},
        }
        for n in range(100)
    ]
    return json.dumps({"success": True, "result": {"events": rows}}).encode(), len(rows)


def _axis() -> tuple[bytes, int]:
    facts = {"topic0": "AccessPoint", "topic1": "AccessGranted", "topic2": "Card", "CardNr": "00AABB"}
    rows = [
        {
            "rowid": 4711 + n,
            "token": f"Axis-{n}",
            "UtcTime": _times(n).replace(" ", "T") + ".000Z",
            "KeyValues": [
                {"Key": key, "Value": value, "Tags": []}
                for key, value in {**facts, "UserToken": f"Axis-1:{n}", "DoorToken": "Axis-1:0"}.items()
            ],
        }
        for n in range(1000)
    ]
    return json.dumps({"Event": rows, "MoreToFetch": False}).encode(), len(rows)


def _file_import() -> tuple[bytes, int]:
    rows = [f"{1000 + n % 500:>9}\t{_times(n)}\t1\t0\t1\t0\r\n" for n in range(10_000)]
    return "".join(rows).encode(), len(rows)


def _llrp() -> tuple[bytes, int]:
    """The tag of the worked example, a hundred to a report."""
    report = bytes.fromhex("043d0000002c0000000700f000228d3035a537c8377540000003e981000182000660e71973df4086c9880001")
    return report[:2] + struct.pack(">II", 10 + 34 * 100, 7) + report[10:] * 100, 100


def _reader_mqtt() -> tuple[bytes, int]:
    rows = [
        {
            "data": {"eventNum": n, "format": "epc", "idHex": f"3035a537c837754000{n:06x}", "antenna": 1, "reads": 3},
            "timestamp": "2026-11-23T00:59:01.123+0000",
            "type": "SIMPLE",
        }
        for n in range(100)
    ]
    return json.dumps(rows).encode(), len(rows)


def _handheld_http() -> tuple[bytes, int]:
    rows = [
        {"seq": n, "code": f"SF{n:013}", "at": _times(n).replace(" ", "T") + "+08:00", "symbology": "]C0"}
        for n in range(500)
    ]
    return json.dumps({"scans": rows}).encode(), len(rows)


def _lines() -> tuple[bytes, int]:
    return "".join(f"SF{n:013}\r\n" for n in range(1000)).encode(), 1000


def _scanner_hid() -> tuple[bytes, int]:
    keyboard = HidScanner(Path())
    return b"".join(b"".join(map(keyboard.type, f"SF{n:013}")) + keyboard.stroke(28) for n in range(200)), 200


def _scanner_ssi() -> tuple[bytes, int]:
    packets = []
    for n in range(500):
        body = b"\xf3\x00\x00\x03" + f"SF{n:013}".encode()
        packet = bytes([len(body) + 1]) + body
        packets.append(packet + struct.pack(">H", -sum(packet) & 0xFFFF))
    return b"".join(packets), len(packets)


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
    ("aiface_ws", "timmy/tfs30", _aiface_ws),
    ("fkweb", "biomax/fk", _fkweb),
    ("uniview", "uniview/oet", _uniview),
    ("controlid", "controlid/idface", _controlid),
    ("akuvox", "akuvox/x916", _akuvox),
    ("2n", "2n/verso", _twon),
    ("axis", "axis/a1601", _axis),
    ("matrix_cosec", "matrix/cosec-vega", _matrix_cosec),
    ("file_import", "zkteco/usb-attlog", _file_import),
    ("custom", "generic/custom", _custom),
    ("scanner_serial", "generic/aim-serial", _scanner),
    ("scanner_tcp", "zebra/tcp", _lines),
    ("scanner_hid", "zebra/hid", _scanner_hid),
    ("scanner_ssi", "zebra/ssi", _scanner_ssi),
    ("llrp", "impinj/speedway-r420", _llrp),
    ("reader_mqtt", "zebra/fx9600-iot", _reader_mqtt),
    ("handheld_http", "generic/handheld-http", _handheld_http),
)
"""Family, profile, and what makes a message and says how many records are in it."""
