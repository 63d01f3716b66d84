"""Bodies of the ZK push protocol to values, and values to answers; no I/O.

Source: protocols/zk-adms.md of the specification, grade A for the attendance dialect, B for the security dialect.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, TypeVar
from urllib.parse import unquote_to_bytes

from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, device_seconds
from shared.errors import DataError

USER_LIMIT = 64
"""Characters of a user number; the longest seen has 24."""
ROW_LIMIT = 1024
"""Bytes of a row that can be a punch; a longer one is something else and its start tells what."""
ROWS_LIMIT = 20_000
"""Rows of one body; terminals send up to 1,000."""
ABSENT = -1
"""Stands in ``raw_codes`` for a column that the row does not have, or that is no number."""

_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)
_NUMBER = re.compile(r"\d{1,9}", re.ASCII)
_INDEX = re.compile(r"\d{1,18}", re.ASCII)
_STAMP = re.compile(r"[0-9A-Za-z:+.-]{1,40}", re.ASCII)
_SERIAL = re.compile(r"[0-9A-Za-z_.:-]{1,64}", re.ASCII)
_PERSONAL = re.compile(
    rb"^(?:USER|FP|FACE|USERPIC|BIOPHOTO|BIODATA)\b|(?:TMP|Content|Passwd|Password|Template)=", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Row:
    """One punch as the terminal wrote it."""

    user: str
    wall: datetime
    """Device wall clock, naive, whole seconds."""
    verify: int
    state: int
    more: tuple[int, ...] = ()
    """Work code of the attendance dialect; event and door of the security dialect."""
    index: int | None = None
    """The terminal's own number of this event (security dialect)."""

    @property
    def at_device(self) -> DeviceSeconds:
        """Wall clock in seconds counted as if UTC."""
        return device_seconds(self.wall)

    @property
    def clock_suspect(self) -> bool:
        """The terminal has lost its clock."""
        return self.at_device < CLOCK_SUSPECT_BEFORE_S

    @property
    def raw_codes(self) -> tuple[int, ...]:
        """(verify, state, ...) for the event; empty when the row had neither."""
        codes = (self.verify, self.state, *self.more)
        return () if set(codes) == {ABSENT} else codes


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that can not be a punch."""

    reason: str
    raw: bytes
    """Its bytes, without what could be a template, a picture or a password."""


@dataclass(frozen=True, slots=True)
class Door:
    """An event of the security dialect that is no punch: a refusal, an alarm, a door, a start."""

    event: int
    index: int | None


@dataclass(frozen=True, slots=True)
class Operation:
    """A line of the terminal's operation log; who did it stays at the terminal."""

    code: int
    wall: datetime | None
    """Device wall clock, naive; None when it wrote none."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command."""

    number: int
    code: int
    """0 is done; the meaning of the negative ones is in the specification."""
    command: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What a terminal says about itself; None where it did not."""

    firmware: str | None = None
    users: int | None = None
    log_used: int | None = None
    log_capacity: int | None = None


AttendanceRow: TypeAlias = Row | Bad
SecurityRow: TypeAlias = Row | Door | Bad
Parsed = TypeVar("Parsed")


# Requests


def call_of(path: str) -> str:
    """Name of the call, such as ``cdata``: the last part of the path, whatever case, prefix, suffix or slash it has."""
    name = path.rstrip("/").rpartition("/")[2].lower()
    return name.removesuffix(".aspx")


def query_of(text: str) -> dict[str, str]:
    """Parameters by their name in lower case, the last of equal names; ``+`` stays what it is."""
    pairs = (part.partition("=") for part in re.split("[&?]", text) if part)
    return {_unquote(name).lower(): _unquote(value) for name, _, value in pairs}


def is_serial(text: str) -> bool:
    """Whether that can be a serial number."""
    return _SERIAL.fullmatch(text) is not None


def clean_stamp(text: str | None) -> bytes | None:
    """A stamp fit to be stored and sent back; None when there is none or it holds what no stamp does."""
    return text.encode() if text and _STAMP.fullmatch(text) else None


def _unquote(text: str) -> str:
    return to_text(unquote_to_bytes(text.encode("utf-8", "surrogateescape"))) or ""


def to_text(raw: bytes) -> str | None:
    """UTF-8, else GB18030 (the superset of the GB2312 of Chinese firmware); None when it is neither."""
    for encoding in ("utf-8", "gb18030"):
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return None


# Tables


def lines_of(body: bytes) -> list[bytes]:
    """Rows of a body: LF or CRLF, without empty ones; DataError for more rows than any terminal sends."""
    if body.count(b"\n") > ROWS_LIMIT:
        raise DataError(f"body has more than {ROWS_LIMIT} rows", code="too_many_rows")
    return [line for line in (part.rstrip(b"\r") for part in body.split(b"\n")) if line.strip()]


def attendance_rows(body: bytes) -> Iterator[AttendanceRow]:
    """Rows of a table ATTLOG: PIN, time, state, verify, work code and up to eleven more."""
    return _rows(body, _attendance_row)


def security_rows(body: bytes, granted: frozenset[int]) -> Iterator[SecurityRow]:
    """Rows of a table rtlog; a punch is an event in ``granted`` that names a person."""
    return _rows(body, lambda text, raw: _security_row(text, raw, granted))


def _rows(body: bytes, parse: Callable[[str, bytes], Parsed | Bad]) -> Iterator[Parsed | Bad]:
    for raw in lines_of(body):
        text = to_text(raw) if len(raw) <= ROW_LIMIT else None
        if len(raw) > ROW_LIMIT:
            yield bad_row("too_long", raw)
        elif text is None:
            yield bad_row("bad_text", raw)
        else:
            yield parse(text, raw)


def _attendance_row(text: str, raw: bytes) -> Row | Bad:
    fields = text.split("\t")
    if len(fields) < 2:
        return bad_row("bad_row", raw)
    wall = parse_time(fields[1])
    if wall is None:
        return bad_row("bad_time", raw)
    if not _is_user(fields[0]):
        return bad_row("bad_user", raw)
    state, verify, work = (_number(fields[n]) if n < len(fields) else ABSENT for n in (2, 3, 4))
    return Row(fields[0], wall, verify, state, () if work == ABSENT else (work,))


def _security_row(text: str, raw: bytes, granted: frozenset[int]) -> SecurityRow:
    fields = _pairs(text.split("\t"))
    event = _number(fields.get("event", ""))
    if event == ABSENT:
        return bad_row("bad_row", raw)
    index = int(fields["index"]) if _INDEX.fullmatch(fields.get("index", "")) else None
    user = fields.get("pin", "")
    if event not in granted or user in ("", "0"):
        return Door(event, index)
    wall = parse_time(fields.get("time", ""))
    if wall is None:
        return bad_row("bad_time", raw)
    if not _is_user(user):
        return bad_row("bad_user", raw)
    verify, state, door = (_number(fields.get(name, "")) for name in ("verifytype", "inoutstatus", "eventaddr"))
    return Row(user, wall, verify, state, (event, door), index)


def bad_row(reason: str, raw: bytes) -> Bad:
    """A bad row with its bytes, cut before the first that could be a template, a picture or a password (SEC-11)."""
    start = raw[:ROW_LIMIT].partition(b"\0")[0]
    if found := _PERSONAL.search(start):
        return Bad("personal", start[: found.end()])
    return Bad(reason, start)


def parse_time(text: str) -> datetime | None:
    """A naive device time; None for what is no time of a terminal (years 1970 to 2199)."""
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    if not 1970 <= year <= 2199:
        return None
    try:
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # a terminal's clock has no zone
    except ValueError:
        return None


def operations(body: bytes) -> tuple[int, list[Operation]]:
    """Count of all rows of a table OPERLOG, and its OPLOG rows; users and templates among them are not looked at."""
    lines = lines_of(body)
    found = []
    for line in lines:
        if not line.startswith((b"OPLOG ", b"OPLOG\t")):
            continue
        fields = (to_text(line[6:]) or "").split("\t")
        if (code := _number(fields[0])) != ABSENT:
            found.append(Operation(code, parse_time(fields[2]) if len(fields) > 2 else None))
    return len(lines), found


def command_results(body: bytes) -> tuple[list[CommandResult], dict[str, str]]:
    """Results of one or more commands, and the ``key=value`` lines that INFO adds."""
    results: list[CommandResult] = []
    facts: dict[str, str] = {}
    for line in lines_of(body):
        text = to_text(line) or ""
        if text.upper().startswith("ID="):
            fields = query_of(text)
            number, code = _number(fields.get("id", "")), _signed(fields.get("return", ""))
            if number != ABSENT and code is not None:
                results.append(CommandResult(number, code, fields.get("cmd", "")[:40]))
        else:
            facts |= _pairs([text])
    return results, facts


def options_of(body: bytes) -> dict[str, str]:
    """``key=value`` pairs of one line separated by commas, or of several; keys in lower case without ``~``."""
    return _pairs(re.split(r"[,\r\n]", to_text(body) or ""))


def facts_of(options: Mapping[str, str]) -> Facts:
    """Health facts among the options; capacity is given in units of 10,000."""
    capacity = _number(options.get("maxattlogcount", ""))
    return Facts(
        firmware=(options.get("fwversion") or options.get("firmver") or "")[:80] or None,
        users=_known(_number(options.get("usercount", ""))),
        log_used=_known(_number(options.get("transactioncount", ""))),
        log_capacity=capacity * 10_000 if capacity != ABSENT else None,
    )


def facts_of_info(text: str) -> Facts:
    """The INFO parameter of getrequest: firmware, users, fingers, records, address, ..."""
    fields = text.split(",")
    if len(fields) < 4:
        return Facts()
    return Facts(fields[0][:80] or None, _known(_number(fields[1])), _known(_number(fields[3])))


def _pairs(parts: Sequence[str]) -> dict[str, str]:
    pairs = (part.partition("=") for part in parts if "=" in part)
    return {name.strip().lstrip("~").lower(): value.strip() for name, _, value in pairs}


def _is_user(text: str) -> bool:
    return 0 < len(text) <= USER_LIMIT and text.strip() != "" and text.isprintable()


def _number(text: str) -> int:
    plain = text.strip()  # of more than int() does: of 1C to 1F too
    return int(plain) if _NUMBER.fullmatch(plain) else ABSENT


def _signed(text: str) -> int | None:
    digits = _number(text.strip().removeprefix("-"))
    if digits == ABSENT:
        return None
    return -digits if text.strip().startswith("-") else digits


def _known(number: int) -> int | None:
    return None if number == ABSENT else number


# Answers


def attendance_options(
    serial: str, stamps: Mapping[str, bytes | None], offset_s: int, protocol: str | None, error_delay_s: int = 60
) -> str:
    """Options block of the attendance dialect.

    ``stamps`` by table, None for nothing stored yet: 0 makes the terminal send all it has. ``protocol`` is its
    ``pushver``; the first generation and terminals that do not tell get the old names. No templates, pictures or
    user records are asked for.
    """
    names = {"ATTLOG": "Stamp", "OPERLOG": "OpStamp"}
    shown = {table: (stamp or b"0").decode() for table, stamp in stamps.items()}
    old = [f"{names[table]}={stamp}" for table, stamp in shown.items()] + ["PhotoStamp=9999"]
    new = [f"{table}Stamp={stamp}" for table, stamp in shown.items()] + ["ATTPHOTOStamp=9999"]
    generation = (protocol or "").partition(".")[0]
    chosen = old + new if generation == "" else old if generation == "1" else new
    lines = [
        f"GET OPTION FROM: {serial}",
        *chosen,
        f"ErrorDelay={error_delay_s}",
        "Delay=10",
        "TransTimes=00:00;14:05",
        "TransInterval=1",
        "TransFlag=TransData AttLog\tOpLog",
        f"TimeZone={_zone_number(offset_s)}",
        "Realtime=1",
        "Encrypt=None",
        "ServerVer=2.4.1",
        "PushProtVer=2.4.1",
    ]
    return "\n".join(lines) + "\n"


def security_options(registry_code: str, error_delay_s: int = 60) -> str:
    """Configuration block of the security dialect; only events are asked for, no users."""
    lines = [
        "registry=ok",
        f"RegistryCode={registry_code}",
        "ServerVersion=3.1.2",
        "ServerName=Muster",
        "PushProtVer=3.1.2",
        f"ErrorDelay={error_delay_s}",
        "RequestDelay=5",
        "TransTimes=00:00;14:05",
        "TransInterval=1",
        "TransTables=Transaction",
        "Realtime=1",
        f"SessionID={registry_code}",
        "TimeoutSec=10",
    ]
    return "\r\n".join(lines) + "\r\n"


def time_answer(now: datetime) -> str:
    """Answer to ``type=time``: the time in the terminal's zone with its offset, whole seconds."""
    return f"Time={now.isoformat(timespec='seconds')}"


def _zone_number(offset_s: int) -> str:
    """Whole hours as hours, half hours as minutes."""
    return str(offset_s // 3600 if offset_s % 3600 == 0 else offset_s // 60)
