"""One session with one terminal, spoken by pyzk; every method blocks and all are called from one thread at a time."""

import contextlib
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from gateway.drivers.zk4370 import codec
from gateway.drivers.zk4370.codec import Counters, Member
from gateway.drivers.zk4370.link import Link
from shared.clock import DeviceSeconds, WallMs
from shared.errors import ConfigError, DataError, MusterError, RetryableError

TABLE_OF_USERS = 5
T = TypeVar("T")
GOODBYE_S = 1.0
"""For each of the last words: enable, stop events, exit."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a terminal listens and how long a whole answer may take."""

    host: str
    port: int
    udp: bool
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Layout:
    """What the profile says for a terminal whose counters do not explain its tables; None when it does not say."""

    log_record: int | None = None
    user_record: int | None = None
    encoding: str = "utf-8"
    """Of names."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What the terminal says of itself; None where it does not know the option."""

    serial: str | None
    firmware: str | None


@dataclass(frozen=True, slots=True)
class ClockReading:
    """Terminal clock (None: an impossible date) and the gateway's in the middle of the round trip."""

    device: DeviceSeconds | None
    gateway_ms: WallMs


@dataclass(frozen=True, slots=True)
class LogImage:
    """The whole log as it was at one moment, oldest record first."""

    records: memoryview
    size: int
    counters: Counters
    users: dict[int, str]
    """uid to user id; only for records of 8 bytes, which name nobody else."""


class Conversation:
    """A session. RetryableError when the terminal does not answer as it should, ConfigError when it refuses us."""

    def __init__(self, address: Address, key: int, layout: Layout, wall_ms: Callable[[], WallMs]) -> None:
        self._address, self._key, self._layout, self._wall_ms = address, key, layout, wall_ms
        self._zk: Any = None
        self._link: Link | None = None
        self._disabled = False
        self._registered = False

    @property
    def link(self) -> Link:
        """The open link; RetryableError when there is none."""
        if self._link is None:
            raise RetryableError("not connected")
        return self._link

    def open(self) -> Identity:
        """Connect, prove the key, let people punch again if an earlier client died, and ask who this is."""
        address = self._address
        self._link = Link(address.host, address.port, udp=address.udp, timeout_s=address.timeout_s)
        self._zk = _client(self._link, address, self._key)
        with self._spoken("connect"):
            self._connect()
            self._zk.enable_device()
        serial = self._asked(self._zk.get_serialnumber)
        firmware = self._asked(self._zk.get_firmware_version)
        return Identity(codec.decode_option(serial, "~SerialNumber"), codec.decode_text(firmware))

    def _connect(self) -> None:
        from zk.exception import ZKErrorResponse

        try:
            self._zk.connect()
        except ZKErrorResponse:  # not a time-out: the last answer would be the one that asked for the key
            answer = self.link.answer
            if answer is not None and answer.command == codec.UNAUTHORISED:
                given = "no key is configured" if not self._key else "the key in key_file is not the one it has"
                raise ConfigError(
                    f"the terminal refuses the communication key: {given}; read the key at the terminal "
                    "(Comm. > PC Connection), write it into the file that key_file names, and start the gateway again"
                ) from None
            raise

    def _asked(self, question: Callable[[], object]) -> bytes:
        """Data of the answer; empty when the terminal does not know the question."""
        from zk.exception import ZKErrorResponse

        # ValueError: pyzk on text that is no UTF-8; our codec looks at the bytes.
        with self._spoken("ask who it is"), contextlib.suppress(ZKErrorResponse, ValueError):
            question()
        answer = self.link.answer
        return answer.data if answer is not None and answer.command == codec.OK else b""

    def read_clock(self) -> ClockReading:
        """Both clocks, the gateway's corrected by half the round trip."""
        before = self._wall_ms()
        with self._spoken("read the clock"), contextlib.suppress(ValueError):  # pyzk on an impossible date
            self._zk.get_time()
        after = self._wall_ms()
        return ClockReading(self._decoded(codec.decode_clock), (before + after) // 2)

    def read_counters(self) -> Counters:
        """Rows in use and room for them."""
        with self._spoken("read the counters"):
            self._zk.read_sizes()
        return self._decoded(codec.decode_counters)

    def read_log(self) -> LogImage:
        """The log between two equal counts, with nobody punching meanwhile."""
        with self._nobody_punches():
            before = self.read_counters()
            block = self._table(codec.LOG, 0) if before.log else bytes(4)
            counters = self.read_counters()
            if counters.log != before.log:
                raise RetryableError(f"the log grew from {before.log} to {counters.log} rows while it was read")
            records = _checked(lambda: codec.split_table(block))
            size = codec.record_size(len(records), counters.log) or self._layout.log_record
            if size is None and len(records):
                raise RetryableError(
                    f"{counters.log} log rows in {len(records)} bytes fit no known layout; "
                    "if this stays, set layouts.log_record in its profile"
                )
            users = self._users() if size == codec.SHORT and len(records) else {}
        return LogImage(records, size or codec.LONG, counters, users)

    def _users(self) -> dict[int, str]:
        records, size = self._user_table()
        users = _checked(lambda: codec.decode_users(records, size, self._layout.encoding)) if size else []
        return {user.uid: user.user for user in users}

    def members(self) -> list[Member]:
        """Everybody enrolled, with the records to write back."""
        records, size = self._user_table()
        return _checked(lambda: codec.decode_members(records, size, self._layout.encoding)) if size else []

    def _user_table(self) -> tuple[memoryview, int]:
        """User records and the size of one; size 0 when nobody is enrolled."""
        count = self.read_counters().users
        if not count:
            return memoryview(b""), 0
        records = _checked(lambda: codec.split_table(self._table(codec.USERS, TABLE_OF_USERS)))
        size = len(records) // count if not len(records) % count else 0
        if size not in codec.USER_LAYOUTS:
            size = self._layout.user_record or size
        return records, size

    def put_member(self, user: str, name: str, card: int, *, enabled: bool) -> None:
        """Add somebody or change name, card and right to punch; password and fingers stay. DataError for bad values."""
        members = self.members()
        known = next((member.record for member in members if member.user == user), None)
        if known is None:
            size = len(members[0].record) if members else self._layout.user_record or 72
            known = codec.new_user(max((member.uid for member in members), default=0) + 1, user, size)
        record = codec.with_name_and_card(known, name, card, enabled=enabled, encoding=self._layout.encoding)
        with self._spoken("write a user"):
            # pyzk's set_user would make the record anew, and with it the password.
            if not self._command(codec.PUT_USER, record):
                raise ConfigError(f"the terminal does not take user {user}; is its memory full, or is it locked?")
            self._zk.refresh_data()

    def set_clock(self, wall: datetime) -> None:
        """Set its clock to that naive time of its zone."""
        with self._spoken("set the clock"):
            self._zk.set_time(wall)

    def option(self, name: str) -> str | None:
        """One of its options; None where it does not know it."""
        with self._spoken(f"ask for {name}"):
            self._command(codec.OPTIONS, name.encode() + b"\0")
        answer = self.link.answer
        data = answer.data if answer is not None and answer.command == codec.OK else b""
        return codec.decode_option(data, name)

    def _command(self, command: int, data: bytes) -> bool:
        """Send what pyzk has no method for, or one that does too much; whether the terminal took it."""
        answer: dict[str, Any] = vars(type(self._zk))["_ZK__send_command"](self._zk, command, data, 1024)
        return bool(answer.get("status"))

    def _table(self, command: int, function: int) -> bytes:
        with self._spoken("read a table"):
            block, _ = self._zk.read_with_buffer(command, function)
        return bytes(block)

    @contextlib.contextmanager
    def _nobody_punches(self) -> Iterator[None]:
        with self._spoken("lock it for reading"):
            self._disabled = True  # first: when the answer is lost the terminal may be locked all the same
            self._zk.disable_device()
        try:
            yield
        except BaseException:
            with contextlib.suppress(MusterError):
                self._enable()
            raise
        self._enable()

    def _enable(self) -> None:
        if self._disabled:
            with self._spoken("unlock it"):
                self._zk.enable_device()
            self._disabled = False

    def register(self) -> None:
        """Ask for punches as they happen; they wait in ``link.heard``."""
        from zk.exception import ZKErrorResponse

        with self._spoken("ask for realtime punches"):
            self._zk.cancel_capture()
            with contextlib.suppress(ZKErrorResponse):
                self._zk.verify_user()  # as pyzk's live_capture does; not every terminal knows it
            self._zk.reg_event(codec.EVENT_ATTENDANCE)
        self._registered = True

    def interrupt(self) -> None:
        """Called from another thread: make what is going on fail soon."""
        if self._link is not None:
            self._link.interrupt()

    def close(self) -> None:
        """Leave the terminal enabled and its one session free; errors no longer matter."""
        link, self._link = self._link, None
        if link is None:
            return
        try:
            if self._zk is not None and self._zk.is_connect:
                self._say_goodbye(link)
        finally:
            link.close()

    def _say_goodbye(self, link: Link) -> None:
        farewells: list[Callable[[], object]] = [self._zk.disconnect]
        if self._registered:
            farewells.insert(0, lambda: self._zk.reg_event(0))
        if self._disabled:
            farewells.insert(0, self._zk.enable_device)
        with contextlib.suppress(*_what_pyzk_raises()):
            for word in farewells:
                link.allow(GOODBYE_S)
                word()

    @contextlib.contextmanager
    def _spoken(self, what: str) -> Iterator[None]:
        """Turn what pyzk and the link raise into our errors."""
        self.link.received = 0
        try:
            yield
        except MusterError:
            raise
        except _what_pyzk_raises() as error:
            cause = error.__context__
            if isinstance(cause, MusterError):  # pyzk keeps only the text of what the link raised
                raise cause from error
            raise RetryableError(f"could not {what}: {error}; connecting again") from error

    def _decoded(self, decode: Callable[[bytes], T]) -> T:
        answer = self.link.answer
        return _checked(lambda: decode(answer.data if answer is not None else b""))


def _checked(decode: Callable[[], T]) -> T:
    """Its result; what can not be decoded is asked for again in a new session."""
    try:
        return decode()
    except DataError as error:
        raise RetryableError(f"the terminal sent {error}; connecting again") from error


def _client(link: Link, address: Address, key: int) -> Any:
    """A pyzk client that talks through our link. pyzk is GPL: it is imported here, on first use, and nowhere else."""
    from zk import ZK

    zk = ZK(address.host, address.port, address.timeout_s, key, force_udp=address.udp, ommit_ping=True)
    parts = vars(zk)
    parts["_ZK__sock"].close()  # opened by the constructor and never used
    parts["_ZK__create_socket"] = lambda: parts.update(_ZK__sock=link)
    zk.helper.test_tcp = lambda: 0  # no second connection only to see whether there is a port
    return zk


def _what_pyzk_raises() -> tuple[type[Exception], ...]:
    """Its own errors, and what its parsing lets through when a terminal sends nonsense."""
    from zk.exception import ZKError

    return (ZKError, OSError, struct.error, ValueError, TypeError, IndexError, MusterError)
