"""What captured frames of Anviz terminals say."""

from datetime import tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.anviz import codec
from gateway.drivers.anviz.codec import BadRow, Frame, LogRow
from gateway.drivers.anviz.reader import Reader
from gateway.profile import Profile
from shared.errors import DataError
from shared.punch import Flag

KINDS = {
    codec.LOGIN: "login",
    codec.SERIAL: "serial",
    codec.CONFIG_1: "config",
    codec.CONFIG_2: "config_2",
    codec.GET_TIME: "clock",
    codec.SET_TIME: "set_clock",
    codec.COUNTERS: "counters",
    codec.RECORDS: "records",
    codec.USERS_OLD: "users",
    codec.USERS: "users",
    codec.PUT_USERS_OLD: "put_users",
    codec.PUT_USERS: "put_users",
    codec.MODEL: "model",
    codec.CLEAR: "clear",
    codec.CAPACITY: "capacity",
    codec.PUSH: "push",
    codec.HEARTBEAT: "heartbeat",
}
"""Names of messages; what is in users is never told."""


def decode_capture(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> list[Decoded]:
    """What captured frames say, binary or as lines of hexadecimal; DataError when none is in it."""
    frames = codec.FrameDecoder()
    found: list[Frame | DataError] = []
    lost: DataError | None = None
    try:
        for piece in codec.pieces_of_capture(data):
            found += frames.feed(piece)
        frames.feed(b"")
    except DataError as error:
        lost = error
    sound = [frame for frame in found if isinstance(frame, Frame)]
    if not sound:
        raise DataError("no frame of Anviz's protocol is in it; it starts with a5", "frame") from lost
    serials = [codec.decode_text(frame.data) for frame in sound if frame.command == codec.SERIAL and frame.data]
    reader = Reader(next(filter(None, serials), terminal), profile, zone)
    told = [
        Decoded("broken", problems=(Trouble(frame.code, str(frame)),))
        if isinstance(frame, DataError)
        else _decoded(frame, reader)
        for frame in found
    ]
    if lost is not None or frames.unfinished:
        text = str(lost) if lost else f"{frames.unfinished} bytes are left over"
        told.append(Decoded("rest", problems=(Trouble(lost.code if lost else "cut_off", text),)))
    return told


def _decoded(frame: Frame, reader: Reader) -> Decoded:
    """What one frame says; requests and answers that tell nothing of interest have only a kind."""
    name = KINDS.get(frame.command, f"command {frame.command:#04x}")
    if frame.command == codec.HEARTBEAT:
        return Decoded(name)
    if frame.result is None:
        return Decoded(f"request {name}")
    if frame.result:
        meaning = codec.MEANINGS.get(frame.result, "refused")
        return Decoded(name, health=(HealthFact("refused", {"result": frame.result, "meaning": meaning}),))
    try:
        return _told(frame, name, reader)
    except DataError as error:
        return Decoded(name, problems=(Trouble(error.code, str(error), frame.data),))


def _told(frame: Frame, name: str, reader: Reader) -> Decoded:
    data = frame.data
    if frame.command in (codec.RECORDS, codec.PUSH):
        rows = codec.decode_block(data)[1] if frame.command == codec.RECORDS else [codec.decode_record(data)]
        good = [row for row in rows if isinstance(row, LogRow)]
        flags = Flag.REALTIME if frame.command == codec.PUSH else Flag(0)
        added = [row for row in good if flags and row.work_code >= codec.USER_ADDED]
        return Decoded(
            name,
            events=tuple(reader.punch(row, None, 0, flags=flags) for row in good if row not in added),
            health=tuple(HealthFact("user_added", {"user": row.user}) for row in added),
            problems=tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, BadRow)),
        )
    facts: dict[str, str | int | None] = {}
    if frame.command == codec.COUNTERS:
        facts = dict(codec.decode_counters(data)._asdict())
    elif frame.command == codec.CAPACITY:
        facts = dict(codec.decode_capacity(data)._asdict())
    elif frame.command == codec.GET_TIME:
        facts = {"clock": codec.decode_clock(data).isoformat()}
    elif frame.command in (codec.SERIAL, codec.MODEL):
        facts = {name: codec.decode_text(data)}
    elif frame.command == codec.CLEAR:
        facts = {"cleared": int.from_bytes(data[:3], "big")}
    elif frame.command == codec.CONFIG_1:
        facts = {"firmware": codec.firmware_of(data)}
    return Decoded(name, health=(HealthFact(name, facts),) if facts else ())
