"""Takes logins, names, cards, passwords and templates out of frames that are recorded."""

from gateway.drivers.anviz import codec
from gateway.drivers.anviz.codec import Frame, FrameDecoder
from shared.errors import DataError

PLAIN = frozenset(
    {codec.SERIAL, codec.MODEL, codec.GET_TIME, codec.SET_TIME, codec.COUNTERS, codec.CAPACITY}
    | {codec.RECORDS, codec.PUSH, codec.CLEAR, codec.HEARTBEAT}
)
"""Commands whose data are no secret; all others become zeros."""
FIRMWARE_SIZE = 8
"""What stays of a configuration: its password follows."""


class AnvizScrub:
    """One recorded connection; whole frames come out, with zeros where something was."""

    def __init__(self) -> None:
        self._frames = {True: FrameDecoder(), False: FrameDecoder()}

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The frames that this chunk completes, scrubbed; DataError when it is not this protocol."""
        found = self._frames[to_terminal].feed(chunk)
        return [_clean(frame) for frame in found if not isinstance(frame, DataError)]


def _clean(frame: Frame) -> bytes:
    data = frame.data
    if frame.command == codec.CONFIG_1 and frame.result is not None:
        data = data[:FIRMWARE_SIZE] + bytes(max(0, len(data) - FIRMWARE_SIZE))
    elif frame.command not in PLAIN:
        data = bytes(len(data))
    answer = b"" if frame.result is None else bytes([frame.result])
    command = frame.command | (codec.ANSWER if frame.result is not None and frame.command != codec.HEARTBEAT else 0)
    plain = bytes([codec.START]) + frame.device.to_bytes(4, "big") + bytes([command]) + answer
    plain += len(data).to_bytes(2, "big") + data
    return plain + codec.crc16(plain).to_bytes(2, "little")
