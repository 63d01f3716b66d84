"""What captured messages of FK web terminals say, and how a row becomes a punch."""

import re
from datetime import tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.fkweb import codec
from gateway.drivers.fkweb.records import Bad, Record, Row, library_of
from gateway.profile import Profile
from gateway.transports.http_front import parse_head
from gateway.transports.source import Source
from shared.errors import DataError
from shared.punch import Direction, Punch


def library_for(profile: Profile, told: str | None) -> str | None:
    """The library whose structures the log has: what the terminal tells, else what its profile says."""
    named = library_of(told or "")
    return named or next((quirk.upper() for quirk in sorted(profile.quirks) if quirk.startswith("hs")), None)


def punch_of(source: Source, row: Row, drift_ms: int | None = None, seen_ms: int = 0) -> Punch:
    """The punch of a row; codes that the profile does not map stay numbers."""
    found = [source.profile.direction(code) for code in row.direction_codes]
    return source.punch(
        row.user,
        row.at,
        (row.verify, row.inout),
        direction=next((one for one in found if one is not Direction.UNKNOWN), Direction.UNKNOWN),
        method=source.profile.method(row.method_code),
        drift_ms=drift_ms,
        seen_ms=seen_ms,
    )


def decode_capture(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> list[Decoded]:
    """One message: a request with its head, a body alone, or either in hexadecimal; DataError when it is none."""
    data = _from_hexadecimal(data)
    if not data.lstrip()[:5].upper().startswith(b"POST "):
        return [_decoded(_kind_of(data), data, Source(terminal, profile, zone))]
    head, separator, body = data.partition(b"\r\n\r\n")
    if not separator:
        head, _, body = data.partition(b"\n\n")
    call = codec.call_of(parse_head(head).headers)
    return [_decoded(call.code, body, Source(call.device or terminal, profile, zone))]


def _from_hexadecimal(data: bytes) -> bytes:
    text = re.sub(rb"#[^\n]*|\s+", b"", data)
    if text and len(text) % 2 == 0 and re.fullmatch(rb"[0-9a-fA-F]+", text):
        return bytes.fromhex(text.decode())
    return data


def _kind_of(body: bytes) -> str:
    keys = codec.keys_of(body)
    for key, kind in (("io_time", "realtime_glog"), ("fk_time", "receive_cmd"), ("fk_info", "receive_cmd")):
        if key in keys:
            return kind
    if keys & {"log_count", "user_id_count", "total_log_count", "user_count"}:
        return "send_cmd_result"
    raise DataError("no message of the FK web protocol: its JSON has none of its names", code="unknown")


def _decoded(kind: str, body: bytes, source: Source) -> Decoded:
    try:
        if kind == "realtime_glog":
            return _rows(kind, (codec.decode_glog(body),), source)
        if kind == "receive_cmd":
            poll = codec.decode_poll(body)
            facts = {"firmware": poll.firmware, "library": poll.library, "name": poll.name, "clock": poll.at}
            return Decoded(kind, health=(HealthFact("device", dict(facts)),))
        if kind == "send_cmd_result":
            return _result(kind, body, source)
    except DataError as error:
        return Decoded(kind, problems=(Trouble(error.code, str(error)),))
    return Decoded(kind or "unknown")  # enrolment and doors: nothing in them is looked at


def _result(kind: str, body: bytes, source: Source) -> Decoded:
    keys = codec.keys_of(body)
    library = library_for(source.profile, None)
    if "log_count" in keys:
        log = codec.decode_log_answer(body, library)
        told = _rows(kind, log.rows, source)
        return Decoded(kind, told.events, (HealthFact("log", {"empty_slots": log.empty}),), told.problems)
    if "user_id_count" in keys:
        return Decoded(kind, health=(HealthFact("users", {"users": len(codec.decode_user_answer(body, library))}),))
    status = codec.decode_status(body)
    return Decoded(kind, health=(HealthFact("status", {"users": status.users, "log_used": status.log_used}),))


def _rows(kind: str, rows: tuple[Record, ...], source: Source) -> Decoded:
    return Decoded(
        kind,
        events=tuple(punch_of(source, row) for row in rows if isinstance(row, Row)),
        problems=tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, Bad)),
    )
