"""What captured messages of push terminals say."""

import re
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import tzinfo

from gateway.device import Decoded, HealthFact, Trouble
from gateway.drivers.zk_adms import codec
from gateway.drivers.zk_adms.events import granted_of, punch_of
from gateway.profile import Profile
from gateway.transports.http_messages import Message, MessageDecoder
from shared.errors import DataError

_HTTP = re.compile(rb"\s*(?:GET |POST |HTTP/1\.)")
_ATTENDANCE = re.compile(rb"[^\t\n]{1,64}\t\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
_SECURITY = re.compile(rb"[^\n]*\bevent=\d")
_OPTIONS = re.compile(rb"~?\w+=[^,\n]*(?:,|\r?\n|$)")


def decode_capture(data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> list[Decoded]:
    """What HTTP messages of either side say, or the bare text of one table; DataError when it is neither."""
    tables = _Tables(profile, zone)
    if _HTTP.match(data):
        return _messages(data, tables, terminal)
    table = _table_of(data)
    return [tables.decode(table, data, terminal)]


def _table_of(text: bytes) -> str:
    """The table whose rows these are."""
    start = text.lstrip()[:4096]
    for table, begins in (("ATTLOG", _ATTENDANCE), ("RTLOG", _SECURITY), ("OPTIONS", _OPTIONS)):
        if begins.match(start):
            return table
    if start.startswith((b"OPLOG", b"USER PIN", b"FP PIN")):
        return "OPERLOG"
    raise DataError("neither HTTP messages nor rows of a table are in it", "frame")


def _messages(data: bytes, tables: "_Tables", terminal: str) -> list[Decoded]:
    decoder = MessageDecoder()
    told: list[Decoded] = []
    lost: Trouble | None = None
    try:
        for message in decoder.feed(data):
            told.append(_message(message, tables, terminal))  # noqa: PERF401  # those before the loss count
    except DataError as error:
        lost = Trouble(error.code, str(error))
    if lost is None and (rest := decoder.waiting.strip()):
        lost = Trouble("cut_off", f"{len(rest)} bytes of a message that is cut off")
    return [*told, Decoded("rest", problems=(lost,))] if lost else told


def _message(message: Message, tables: "_Tables", terminal: str) -> Decoded:
    head = message.head
    if head is None:
        return Decoded("answer")
    query = codec.query_of(head.query)
    serial = query.get("sn", "")
    serial = serial if codec.is_serial(serial) else terminal
    call = codec.call_of(head.path)[:40]
    if head.method == "POST" and call == "cdata":
        return tables.decode(query.get("table", "").upper()[:40], message.body, serial)
    if call == "devicecmd":
        return tables.decode("DEVICECMD", message.body, serial)
    if call == "registry":
        return tables.decode("OPTIONS", message.body, serial)
    facts = asdict(codec.facts_of_info(query.get("info", "")))
    return Decoded(call, health=_told("info", facts))


class _Tables:
    """Bodies by the name of their table; one that holds no punches and no health is only named."""

    def __init__(self, profile: Profile, zone: tzinfo) -> None:
        self._profile, self._zone = profile, zone
        self._acc = "acc" in profile.quirks
        self._known: dict[str, Callable[[bytes, str], Decoded]] = {
            "ATTLOG": self._attendance,
            "RTLOG": self._security,
            "OPERLOG": self._operations,
            "OPTIONS": self._options,
            "DEVICECMD": self._results,
        }

    def decode(self, table: str, body: bytes, serial: str) -> Decoded:
        """What the body says."""
        decode = self._known.get(table)
        if decode is None:
            return Decoded(table or "table")
        try:
            return decode(body, serial)
        except DataError as error:
            return Decoded(table, problems=(Trouble(error.code, str(error)),))

    def _attendance(self, body: bytes, serial: str) -> Decoded:
        return self._rows("ATTLOG", list(codec.attendance_rows(body)), serial, acc=False)

    def _security(self, body: bytes, serial: str) -> Decoded:
        return self._rows("rtlog", list(codec.security_rows(body, granted_of(self._profile))), serial, acc=True)

    def _rows(self, kind: str, rows: Sequence[codec.SecurityRow], serial: str, *, acc: bool) -> Decoded:
        profile = self._profile if acc == self._acc else None
        return Decoded(
            kind,
            tuple(punch_of(row, serial, self._zone, profile, 0) for row in rows if isinstance(row, codec.Row)),
            tuple(HealthFact("door", asdict(row)) for row in rows if isinstance(row, codec.Door)),
            tuple(Trouble(row.reason, "no punch", row.raw) for row in rows if isinstance(row, codec.Bad)),
        )

    def _operations(self, body: bytes, _serial: str) -> Decoded:
        count, operations = codec.operations(body)
        facts = [
            HealthFact("operation", {"code": one.code, "at": one.wall.isoformat() if one.wall else None})
            for one in operations
        ]
        return Decoded("OPERLOG", health=(HealthFact("rows", {"rows": count}), *facts))

    def _options(self, body: bytes, _serial: str) -> Decoded:
        return Decoded("options", health=_told("facts", asdict(codec.facts_of(codec.options_of(body)))))

    def _results(self, body: bytes, _serial: str) -> Decoded:
        results, facts = codec.command_results(body)
        told = _told("facts", asdict(codec.facts_of(facts)))
        return Decoded("devicecmd", health=(*(_command(one) for one in results), *told))


def _command(result: codec.CommandResult) -> HealthFact:
    return HealthFact("command", {"number": result.number, "code": result.code, "command": result.command})


def _told(code: str, facts: dict[str, str | int | None]) -> tuple[HealthFact, ...]:
    known: dict[str, str | int | None] = {name: value for name, value in facts.items() if value is not None}
    return (HealthFact(code, known),) if known else ()
