"""Events of a terminal as a person or a program reads them."""

from datetime import timedelta

from gateway.device import Decoded
from shared.clock import EPOCH, from_ms
from shared.keys import Event
from shared.punch import Flag, Punch
from shared.scan import Damaged, Scan

NAIVE = EPOCH.replace(tzinfo=None)


def utc(at_ms: int) -> str:
    """RFC 3339 in UTC; milliseconds only where there are some."""
    return from_ms(at_ms).isoformat(timespec="milliseconds" if at_ms % 1000 else "seconds").replace("+00:00", "Z")


def local(punch: Punch) -> str | None:
    """The terminal's wall clock; None for a source without clock."""
    return None if punch.at_device is None else (NAIVE + timedelta(seconds=punch.at_device)).isoformat()


def punch_facts(punch: Punch) -> dict[str, object]:
    """A punch in words; codes stay numbers."""
    return {
        "user": punch.user,
        "local_time": local(punch),
        "utc": utc(punch.at),
        "direction": punch.direction.name.lower(),
        "method": punch.method.name.lower(),
        "raw_codes": list(punch.raw_codes),
        "native_seq": punch.native_seq,
    }


def scan_facts(scan: Scan) -> dict[str, object]:
    """A scan in words; ``utc`` is None for a live read, whose time is that of the gateway."""
    return {
        "station": scan.station,
        "code": scan.code,
        "symbology": scan.symbology or None,
        "kind": scan.kind.name.lower(),
        "utc": utc(scan.at) if scan.at else None,
        "operator": scan.operator,
        "native_seq": scan.native_seq,
    }


def decoded_facts(told: Decoded) -> dict[str, object]:
    """What one message says; scans only where there are some."""
    punches = [punch_facts(event) for event in told.events if isinstance(event, Punch)]
    scans = [scan_facts(event) for event in told.events if isinstance(event, Scan)]
    damaged = [
        {"code": event.reason, "text": "no event", "raw": event.raw.hex()}
        for event in told.events
        if isinstance(event, Damaged)
    ]
    problems = [{"code": one.code, "text": one.text, "raw": one.raw.hex()} for one in told.problems]
    return {
        "kind": told.kind,
        "punches": punches,
        **({"scans": scans} if scans else {}),
        "health": [{"code": fact.code, **fact.detail} for fact in told.health],
        "problems": [*problems, *damaged],
    }


def event_facts(event: Event) -> dict[str, object]:
    """Any event, with what it is under ``event``."""
    match event:
        case Punch():
            flags = [flag.name.lower() for flag in Flag if flag in event.flags and flag.name]
            return {"event": "punch", "terminal": event.terminal, **punch_facts(event), "flags": flags}
        case Scan():
            return {"event": "scan", **scan_facts(event)}
        case Damaged():
            return {"event": "damaged", "terminal": event.source, "reason": event.reason, "raw": event.raw.hex()}
