"""A TCP proxy between gateway and broker that repeats, delays and swaps whole MQTT packets, both ways, from a seed."""

import random
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from tests.support.loopback import HOST

PUBLISH = 3

Read: TypeAlias = Callable[[int], bytes]


@dataclass
class Faults:
    """How often what happens to a PUBLISH; all other packets pass at once."""

    repeat: float = 0.2
    hold: float = 0.2
    hold_s: float = 1.5
    counts: dict[str, int] = field(default_factory=lambda: {"repeated": 0, "held": 0})


class MqttProxy:
    """Listens on ``port``; a held packet goes out after later ones, as after a slow path."""

    def __init__(self, broker_port: int, seed: int, faults: Faults) -> None:
        self._broker_port = broker_port
        self._random = random.Random(seed)
        self.faults = faults
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Accept nobody any more."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                broker = socket.create_connection((HOST, self._broker_port))
            except OSError:
                return
            for source, target in ((client, broker), (broker, client)):
                threading.Thread(target=self._pump, args=(source, _Sender(target)), daemon=True).start()

    def _pump(self, source: socket.socket, target: "_Sender") -> None:
        reader = source.makefile("rb")
        try:
            while packet := _packet(reader.read):
                self._forward(packet, target)
        except (OSError, ValueError):
            pass
        finally:
            target.close()
            source.close()

    def _forward(self, packet: bytes, target: "_Sender") -> None:
        draw = self._random.random() if packet[0] >> 4 == PUBLISH else 1.0
        if draw < self.faults.hold:
            self.faults.counts["held"] += 1
            timer = threading.Timer(self._random.uniform(0.1, self.faults.hold_s), target.send, [packet])
            timer.daemon = True
            timer.start()
            return
        target.send(packet)
        if draw < self.faults.hold + self.faults.repeat:
            self.faults.counts["repeated"] += 1
            target.send(bytes([packet[0] | 0x08]) + packet[1:])  # DUP


class _Sender:
    def __init__(self, target: socket.socket) -> None:
        self._target = target
        self._lock = threading.Lock()

    def send(self, packet: bytes) -> None:
        with self._lock:
            try:
                self._target.sendall(packet)
            except OSError:
                time.sleep(0)  # the connection is gone: so is the packet

    def close(self) -> None:
        self._target.close()


def _packet(read: Read) -> bytes:
    """The next whole packet; empty at the end of the stream."""
    head = read(1)
    length, shift = 0, 0
    while head:
        byte = read(1)
        if not byte:
            return b""
        head += byte
        length |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            break
    body = read(length)
    return head + body if len(body) == length else b""
