"""A handheld computer whose app posts scans and forgets them only after a 200. Standard library only."""

import hashlib
import hmac
import http.client
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

Scan: TypeAlias = dict[str, str | int]


@dataclass
class Handheld:
    """Numbers its scans from 1 and never uses a number twice."""

    serial: str
    key: str
    next_number: int = 1
    waiting: list[Scan] = field(default_factory=list)
    emitted: int = 0

    def scan(self, code: str, at: datetime, **more: str) -> None:
        """A read at that aware time; ``more`` are further fields such as ``kind``."""
        self.waiting.append({"seq": self.next_number, "code": code, "at": at.isoformat(), **more})
        self.next_number += 1
        self.emitted += 1

    def post(self, host: str, port: int, *, keep: bool = False) -> int:
        """Send what waits (blocking); the status of the answer. ``keep``: the answer is lost on the way back."""
        body = json.dumps({"scans": self.waiting}).encode()
        signature = hmac.new(self.key.encode(), f"{self.serial}\n".encode() + body, hashlib.sha256).hexdigest()
        connection = http.client.HTTPConnection(host, port, timeout=10)
        try:
            headers = {"Content-Type": "application/json", "X-Muster-Signature": f"sha256={signature}"}
            connection.request("POST", f"/scans/{self.serial}", body, headers)
            status = connection.getresponse().status
        finally:
            connection.close()
        if status == 200 and not keep:
            self.waiting.clear()
        return status
