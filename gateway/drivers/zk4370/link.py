"""The socket that pyzk talks through: one whole, checked packet for each recv.

pyzk takes one recv for one packet and knows no realtime packet between request and answer. Here packets are cut by
their declared length, answers matched to requests by reply number, realtime punches confirmed and put aside.
"""

import socket
import time
from collections import deque

from gateway.drivers.zk4370.codec import (
    DATA,
    EVENT,
    EVENT_ATTENDANCE,
    HEADER_SIZE,
    OK,
    PREPARE_DATA,
    TOP_SIZE,
    FrameDecoder,
    Packet,
    decode_packet,
    encode_frame,
    encode_packet,
)
from shared.errors import ConfigError, DataError, RetryableError

HEARD_LIMIT = 1000
"""Punches put aside; what does not fit is read from the terminal's log."""
ANSWER_LIMIT = 64 * 1024 * 1024
"""Bytes a terminal may send for one purpose: a log of 1,000,000 rows."""
WAKE_S = 0.25
"""How soon a wait notices that it was interrupted."""


class Link:
    """An open way to one terminal. RetryableError when it is broken, late or interrupted; blocking."""

    def __init__(self, host: str, port: int, *, udp: bool, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._udp = udp
        self._frames = FrameDecoder()
        self._payloads: deque[bytes] = deque()
        self._expected_reply = 0
        self._session = 0
        self._interrupted = False
        self._announced: int | None = None
        self.received = 0
        """Bytes since somebody set it to 0; too many end the conversation."""
        self.answer: Packet | None = None
        """The last answer."""
        self.heard: deque[bytes] = deque(maxlen=HEARD_LIMIT)
        """Data of realtime punches that nobody has taken yet."""
        try:
            if udp:
                self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._socket.connect((host, port))
            else:
                self._socket = socket.create_connection((host, port), timeout_s)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            raise RetryableError(f"no connection to {host}:{port}: {error}; check power, cable and address") from error

    # What pyzk calls

    def send(self, frame: bytes) -> int:
        """Send a request with its TCP top."""
        return self._send(frame, frame[TOP_SIZE:])

    def sendto(self, payload: bytes, _address: object) -> int:
        """Send a request as a datagram; it goes to the terminal of this link."""
        return self._send(payload, payload)

    def recv(self, _size: int) -> bytes:
        """The next packet that belongs to the last request, whole, with its TCP top over TCP."""
        deadline = time.monotonic() + self._timeout_s
        while True:
            while self._payloads:
                payload = self._payloads.popleft()
                packet = self._take(payload)
                if packet is not None and packet.reply == self._expected_reply:
                    self.answer, self._session = packet, packet.session
                    self._count_bulk(packet)
                    return payload if self._udp else encode_frame(payload)
            self._read_until(deadline)

    def settimeout(self, timeout_s: float) -> None:
        """Seconds that a whole answer may take."""
        self._timeout_s = timeout_s

    def close(self) -> None:
        """Close at once; closing twice does nothing."""
        self._socket.close()

    # What the conversation calls

    def fileno(self) -> int:
        """For an event loop that waits for realtime punches."""
        return self._socket.fileno()

    def allow(self, timeout_s: float) -> None:
        """Go on after an interruption, with this time-out for an answer."""
        self._interrupted, self._timeout_s = False, timeout_s

    def interrupt(self) -> None:
        """Make a wait in another thread fail soon; the connection stays open."""
        self._interrupted = True

    def listen(self) -> None:
        """Put aside all realtime punches that have arrived, without waiting."""
        self._socket.settimeout(0)
        try:
            while self._read():
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            raise _broken(error) from error
        for payload in self._payloads:
            self._take(payload)
        self._payloads.clear()

    def _send(self, data: bytes, payload: bytes) -> int:
        self._announced = None
        self._expected_reply = int.from_bytes(payload[6:HEADER_SIZE], "little")
        self._socket.settimeout(self._timeout_s)
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise _broken(error) from error
        return len(data)

    def _count_bulk(self, packet: Packet) -> None:
        """Hold a bulk answer to its announced size: a datagram that is lost or comes twice would shift every record."""
        if packet.command == PREPARE_DATA:
            self._announced = int.from_bytes(packet.data[:4], "little")
        elif self._announced is not None and packet.command == DATA:
            self._announced -= len(packet.data)
        elif self._announced is not None:
            missing, self._announced = self._announced, None
            if missing:
                raise RetryableError(
                    f"a bulk answer differs by {missing} bytes from its announced size; reading it again"
                )

    def _read_until(self, deadline: float) -> None:
        left = deadline - time.monotonic()
        if self._interrupted:
            raise RetryableError("interrupted")
        if left <= 0:
            raise RetryableError(f"no answer within {self._timeout_s:g} s; is another program connected to it?")
        self._socket.settimeout(min(left, WAKE_S))
        try:
            self._read()
        except TimeoutError:
            return
        except OSError as error:
            raise _broken(error) from error

    def _read(self) -> bool:
        chunk = self._socket.recv(65536)
        self.received += len(chunk)
        if self.received > ANSWER_LIMIT:
            raise RetryableError(f"more than {ANSWER_LIMIT} bytes without an end")
        if self._udp:
            self._payloads.append(chunk)
            return True
        if not chunk:
            raise RetryableError("the terminal closed the connection")
        try:
            self._payloads.extend(self._frames.feed(chunk))
        except DataError as error:
            if error.code == "encrypted":
                raise ConfigError(
                    f"{error}, which can not be read; turn encryption off in its communication menu, "
                    "or let it push (family zk_adms)"
                ) from error
            raise RetryableError(f"{error}; connecting again") from error
        return True

    def _take(self, payload: bytes) -> Packet | None:
        """The packet; None for a realtime one, which is confirmed, and for a damaged datagram, which is dropped."""
        try:
            packet = decode_packet(payload)
        except DataError as error:
            if self._udp:
                return None  # the answer comes again or not at all: the time-out decides
            raise RetryableError(f"{error}; connecting again") from error
        if packet.command != EVENT:
            return packet
        if packet.session == EVENT_ATTENDANCE:
            self.heard.append(packet.data)
        confirmation = encode_packet(OK, self._session, 0)
        self._socket.settimeout(self._timeout_s)
        try:
            self._socket.sendall(confirmation if self._udp else encode_frame(confirmation))
        except OSError as error:
            raise _broken(error) from error
        return None


def _broken(error: OSError) -> RetryableError:
    return RetryableError(f"the connection broke: {error}; connecting again")
