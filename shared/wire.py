"""Bytes of the MQTT messages: a MessagePack array, ``v`` first, a zstd body last.

``ev`` is ``[v, stream, first, n, body]`` with a body of n encoded events; its first four items never change, so that
an unknown version or a broken body is still quarantined under its seqs. ``hello``, ``ack`` and ``health`` are
``[v, body]``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

import msgspec
import zstandard

from shared.clock import ClockAnchor, MonotonicMs, WallMs
from shared.errors import DataError
from shared.keys import Event
from shared.punch import Punch
from shared.scan import Damaged, Scan

VERSION = 1
ACCEPTED_VERSIONS = frozenset({1})
"""A server takes the last two; there is only one yet."""
MAX_MESSAGE = 128 * 1024
"""Bytes of a message as sent."""
MAX_UNPACKED = 1024 * 1024
"""Bytes of a body after decompression; the declared size is checked first."""
MAX_EVENTS = 500
"""Events in one ``ev``."""
MAX_HELLO_STREAMS = 1000
MAX_CHANGES = 500
"""Changes in one command."""
MAX_RESULT_USERS = 1000
"""Users in one part of a result."""
STREAM_BYTES = 16
MAX_SEQ = 2**63 - 1

Ranges: TypeAlias = list[tuple[int, int]]
"""Closed intervals of seqs, ascending, disjoint, not touching."""

_T = TypeVar("_T")


class StreamState(msgspec.Struct, array_like=True, frozen=True):
    """What a gateway still holds of one stream."""

    stream: bytes
    first: int
    """Lowest seq held, acked rows included."""
    last: int
    acked_upto: int
    """Every seq up to here is acked."""
    open: bool
    anchor: ClockAnchor


class Hello(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's first words after each connect, repeated until answered."""

    id: bytes
    """Random, 16 bytes; the ack echoes it."""
    streams: list[StreamState]
    """Oldest first, at most 1,000; ``more`` says that another hello follows."""
    more: bool = False
    newest_digest: bytes | None = None
    machine: str
    """From hardware serials, so that a cloned image gives itself away."""
    wall_ms: WallMs
    clock_synced: bool
    free_bytes: int
    software: str


class StreamAck(msgspec.Struct, array_like=True, frozen=True):
    """What the server's database covers of one stream."""

    stream: bytes
    upto: int
    """Everything up to here is stored or quarantined."""
    also: Ranges = []
    """Beyond ``upto``."""
    rejected: list[tuple[int, str]] = []
    """Quarantined seqs with their reason code; they are inside ``upto`` or ``also``."""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """The server's word that these seqs are committed; the one answer to ``hello`` and ``ev``."""

    re: bytes | None = None
    """Id of the hello it answers; None for an answer to ``ev``."""
    streams: list[StreamAck]
    busy_ms: int = 0
    """How long the gateway should wait before it sends more."""


class TerminalHealth(msgspec.Struct, frozen=True, kw_only=True):
    """State of one terminal or scanner as its gateway sees it."""

    terminal: str
    """Serial, or the configured name while the serial is unknown."""
    name: str
    profile: str
    state: str
    """``online``, ``degraded`` (reached, with a problem), ``offline``, ``refused`` (it does not let the gateway in),
    ``error``, ``config_error`` or ``starting``."""
    last_contact_ms: WallMs | None = None
    last_event_ms: WallMs | None = None
    drift_ms: int | None = None
    problem: str | None = None
    """Stable code of the last problem; the text stays in the gateway's log."""
    firmware: str | None = None
    users: int | None = None
    log_used: int | None = None
    log_capacity: int | None = None


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """A gateway's telemetry; the only class of message that may be dropped."""

    at: WallMs
    mono_ms: MonotonicMs
    software: str
    backlog: int
    oldest_unacked_ms: WallMs | None
    free_bytes: int
    quota_used_pct: int
    refused: int = 0
    """Events refused since start because nothing could be stored."""
    dropped_health: int = 0
    alarms: list[str] = []
    """Codes of what needs a person."""
    terminals: list[TerminalHealth] = []


class DirectoryUser(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at a terminal: number, name, card and whether he may punch; never templates, photos or passwords."""

    number: str
    name: str = ""
    card: str = ""
    enabled: bool = True


class UserChange(msgspec.Struct, frozen=True, kw_only=True):
    """One person to write to a terminal; nobody is ever deleted."""

    user: DirectoryUser
    before: DirectoryUser | None
    """As the terminal must hold the person when the change comes; None when it must not know the number."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway should do at one terminal; sent again until its result is stored, so it may come twice."""

    id: bytes
    """Random, 16 bytes; the result echoes it."""
    terminal: str
    expires_ms: WallMs
    """Not begun after this time."""
    changes: list[UserChange] = []
    """At most 500; none asks only who is enrolled."""


class ChangeResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one change."""

    number: str
    outcome: str
    """``done``, ``changed`` (the terminal holds something else than expected: nothing was written) or ``refused``."""
    message: str = ""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a command."""

    id: bytes
    terminal: str
    at: WallMs
    outcome: str
    """``done``, ``failed``, ``expired``, or ``waiting``: the terminal is not reached and will be tried again."""
    message: str = ""
    changes: list[ChangeResult] = []
    users: list[DirectoryUser] = []
    """Who is enrolled after it, part by part; only with ``done``."""
    part: int = 0
    parts: int = 1
    """Messages of this result; it is complete when all are stored."""


@dataclass(frozen=True, slots=True)
class EvHead:
    """The four items of an ``ev`` that never change."""

    v: int
    stream: bytes
    first: int
    n: int

    @property
    def last(self) -> int:
        """Highest seq of the batch."""
        return self.first + self.n - 1


_encoder = msgspec.msgpack.Encoder()
_event: msgspec.msgpack.Decoder[Event] = msgspec.msgpack.Decoder(Punch | Scan | Damaged)
_bodies = msgspec.msgpack.Decoder(list[bytes])
_array = msgspec.msgpack.Decoder(tuple[msgspec.Raw, ...])
_compressor = zstandard.ZstdCompressor(level=3, write_content_size=True)
_decompressor = zstandard.ZstdDecompressor()


def encode_event(event: Event) -> bytes:
    """Bytes of one event, made once when it is accepted."""
    return _encoder.encode(event)


def decode_event(body: bytes) -> Event:
    """The event in ``body``; DataError when it is none."""
    try:
        return _event.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"event of {len(body)} bytes does not decode: {error}", code="bad_event") from error


def encode_ev(stream: bytes, first: int, bodies: Sequence[bytes]) -> bytes:
    """An ``ev`` message of encoded events with consecutive seqs from ``first``."""
    return _encoder.encode((VERSION, stream, first, len(bodies), _pack(list(bodies))))


def decode_ev_head(payload: bytes) -> tuple[EvHead, bytes]:
    """Head and packed body; works for every version. DataError when not even the head is readable."""
    items = _items(payload)
    if len(items) < 5:
        raise DataError(f"ev of {len(items)} items, expected 5", code="bad_ev")
    try:
        v, stream = msgspec.msgpack.decode(items[0], type=int), msgspec.msgpack.decode(items[1], type=bytes)
        first, n = msgspec.msgpack.decode(items[2], type=int), msgspec.msgpack.decode(items[3], type=int)
        body = msgspec.msgpack.decode(items[-1], type=bytes)
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(f"ev head does not decode: {error}", code="bad_ev") from error
    if len(stream) != STREAM_BYTES or first < 1 or not 1 <= n <= MAX_EVENTS or first + n - 1 > MAX_SEQ:
        raise DataError(f"ev head stream {len(stream)} bytes, first {first}, n {n} is out of range", code="bad_ev")
    return EvHead(v, stream, first, n), body


def decode_ev_body(head: EvHead, body: bytes) -> list[bytes]:
    """The encoded events of a batch; DataError for an unknown version or a body that is not ``n`` events."""
    if head.v not in ACCEPTED_VERSIONS:
        raise DataError(f"ev version {head.v}, expected one of {sorted(ACCEPTED_VERSIONS)}", code="unknown_version")
    try:
        bodies = _bodies.decode(_unpack(body))
    except (msgspec.DecodeError, ValueError) as error:
        raise DataError(f"ev body does not decode: {error}", code="bad_body") from error
    if len(bodies) != head.n:
        raise DataError(f"ev body holds {len(bodies)} events, its head says {head.n}", code="bad_body")
    return bodies


def encode_message(body: Hello | Ack | Health | Command | Result) -> bytes:
    """A ``[v, body]`` message."""
    return _encoder.encode((VERSION, _pack(body)))


def decode_message(payload: bytes, kind: type[_T]) -> _T:
    """The ``kind`` in a ``[v, body]`` message; DataError when it is none."""
    items = _items(payload)
    if len(items) != 2:
        raise DataError(f"{kind.__name__} of {len(items)} items, expected 2", code="bad_message")
    try:
        version = msgspec.msgpack.decode(items[0], type=int)
        packed = msgspec.msgpack.decode(items[1], type=bytes)
        if version not in ACCEPTED_VERSIONS:
            raise DataError(f"{kind.__name__} version {version} is unknown", code="unknown_version")
        return msgspec.msgpack.decode(_unpack(packed), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataError(f"{kind.__name__} does not decode: {error}", code="bad_message") from error


def _items(payload: bytes) -> tuple[msgspec.Raw, ...]:
    if len(payload) > MAX_MESSAGE:
        raise DataError(f"message of {len(payload)} bytes, at most {MAX_MESSAGE}", code="oversize")
    try:
        return _array.decode(payload)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise DataError(f"message of {len(payload)} bytes is no MessagePack array: {error}", "bad_message") from error


def _pack(body: object) -> bytes:
    return _compressor.compress(_encoder.encode(body))


def _unpack(packed: bytes) -> bytes:
    """Decompress at most MAX_UNPACKED bytes; the declared size is checked before any work."""
    try:
        declared = zstandard.frame_content_size(packed)
        if not 0 <= declared <= MAX_UNPACKED:
            raise DataError(f"body declares {declared} bytes, at most {MAX_UNPACKED}", code="oversize")
        return _decompressor.decompress(packed, max_output_size=MAX_UNPACKED)
    except zstandard.ZstdError as error:
        raise DataError(f"body does not decompress: {error}", code="bad_body") from error
