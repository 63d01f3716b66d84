"""What a Zebra reader with IoT Connector publishes; who sends it to a broker is not its business."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass
class IotReader:
    """Numbers its events from 1."""

    topic: str
    number: int = 0
    emitted: int = 0

    def seen(self, epc: str, at: datetime, antenna: int = 1) -> bytes:
        """The message for a tag, EPC in hexadecimal digits, seen at that aware time."""
        self.number += 1
        self.emitted += 1
        data = {
            "eventNum": self.number, "format": "epc", "idHex": epc, "antenna": antenna, "peakRssi": -47, "reads": 3,
        }  # fmt: skip
        stamp = f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}+0000"
        return json.dumps({"data": data, "timestamp": stamp, "type": "SIMPLE"}).encode()
