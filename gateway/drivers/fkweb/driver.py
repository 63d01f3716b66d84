"""Terminals that push in the FK web protocol: punches as they happen, and the log when they ask for a command.

OK is said only after the commit; everything else makes the terminal send again.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo

import structlog

from gateway.device import Decoded
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.fkweb import codec
from gateway.drivers.fkweb.capture import decode_capture, library_for, punch_of
from gateway.drivers.fkweb.codec import Call, Command
from gateway.drivers.fkweb.records import LIBRARIES, Record, Row
from gateway.profile import Profile
from gateway.transports.http_front import Answer, Body, Head
from gateway.transports.push_server import Pusher, PushServer
from gateway.transports.scrub import HttpRecorded
from gateway.transports.source import check_quirks
from shared.clock import CLOCK_SUSPECT_BEFORE_S, DeviceSeconds, MonotonicMs, from_ms
from shared.errors import DataError
from shared.keys import Event

FAMILY = "fkweb"
RESULT_OK = "result_ok"
"""The Biomax variant: the answer is a text in the body, and there are no commands."""
QUIRKS = frozenset({RESULT_OK}) | {library.lower() for library in LIBRARIES}
"""A library is that of a terminal which does not name its own."""
LOOK_AGAIN_MS = 6 * 3600 * 1000
"""Between two reads of the log, which find what was never pushed."""
RETRY_MS = 600_000
ANSWER_MS = 120_000
"""How long a command may take."""
SET_TIME_AGAIN_MS = 3600 * 1000
OVERLAP_S = 24 * 3600
BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
KIND = "application/octet-stream"
SILENT = frozenset({"realtime_enroll_data", "realtime_door_status"})
"""Calls whose bodies are thrown away unread: templates, pictures, doors."""

log = structlog.get_logger("gateway")
KEPT = """
user_id verify_mode io_mode io_time fk_bin_data_lib fk_time firmware log_image log_array user_id_array log_count
one_log_size user_id_count one_user_id_size user_count total_log_count begin_time end_time time fp_data_ver
face_data_ver
"""
"""Fields of a recording that are no secret, in small letters."""


@dataclass(slots=True)
class _Asked:
    command: Command
    trans_id: str
    at_ms: MonotonicMs
    place: bytes | None = None
    """The place in the log once its answer is stored."""


@dataclass(slots=True)
class _Talk:
    """What this run knows of the conversation with one terminal."""

    plain: bool
    library: str | None
    asked: _Asked | None = None
    waiting: list[str] = field(default_factory=list)
    """Codes of commands that are due."""
    due_ms: MonotonicMs = 0
    clock_set_ms: MonotonicMs | None = None
    number: int = 0


class FkWeb(HttpRecorded):
    """The family of FK web terminals."""

    family = FAMILY
    quirks = QUIRKS
    kept = KEPT
    decodes_heads = True
    calls_us = True

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all terminals; ConfigError without ``[push.fkweb]`` and for a terminal that can not work."""
        if context.push is None and not terminals:
            return []
        server = FkServer(PushServer(FAMILY, terminals, context))
        return [DriverTask(FAMILY, terminals, server.run)]

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """What one captured message says; DataError when it is none of this family."""
        return decode_capture(data, profile, zone, terminal)


DRIVER = FkWeb()


class FkServer:
    """The conversation with all FK web terminals of a gateway."""

    def __init__(self, server: PushServer) -> None:
        self._server, self._context = server, server.context
        self._blocks = codec.Blocks()
        self._talks: dict[str, _Talk] = {}
        for serial, pusher in server.known.items():
            profile = pusher.terminal.profile
            check_quirks(profile, QUIRKS)
            self._talks[serial] = _Talk(RESULT_OK in profile.quirks, library_for(profile, None))

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        await self._server.run(self.answer)

    async def answer(self, head: Head, body: Body) -> Answer:
        """The answer to one request; the punches in it are durable when it says OK."""
        if head.method != "POST":
            return Answer(405, "POST is expected")
        try:
            call = codec.call_of(head.headers)
        except DataError:
            await body.drain()
            raise
        known = self._server.known.get(call.device)
        if known is not None and known.state.state == "offline":
            self._talks[call.device].due_ms = 0  # it may have kept punches to itself meanwhile
        pusher = self._server.meet(call.device)
        if pusher is None:
            await body.drain()
            return _answer("ERROR_INVALID_DEV_ID")
        if call.code in SILENT:
            await body.drain()
            return self._done(pusher, call, "OK")
        try:
            message = self._blocks.add(call, await self._read(head, body), self._context.clocks.mono_ms())
        except DataError as error:
            self._server.note(pusher, "bad_request", str(error))
            if error.code == "block_gap":
                return _answer("ERROR_ADD_BLOCK_DATA", call.trans_id)
            raise
        return self._done(pusher, call, "OK") if message is None else await self._message(pusher, call, message)

    async def _read(self, head: Head, body: Body) -> bytes:
        return await self._server.read(head, body, codec.BODY_LIMIT)

    async def _message(self, pusher: Pusher, call: Call, message: bytes) -> Answer:
        if call.code == "realtime_glog":
            return await self._punch(pusher, call, message)
        if call.code == "receive_cmd":
            return await self._poll(pusher, call, message)
        if call.code == "send_cmd_result":
            return await self._result(pusher, call, message)
        self._server.note(pusher, "unknown_table", f"request_code {call.code[:40]!r} is not known to this version")
        return _answer("ERROR_INVALID_REQUEST_CODE", call.trans_id)

    # Punches

    async def _punch(self, pusher: Pusher, call: Call, message: bytes) -> Answer:
        events = self._events(pusher, [codec.decode_glog(message)])
        if not await self._server.store(pusher, events, _key(pusher)):
            return _answer("ERROR_DB_ACCESS", call.trans_id)
        return self._done(pusher, call, "result=OK")

    def _events(self, pusher: Pusher, rows: Sequence[Record]) -> list[Event]:
        now_ms, seen_ms = self._context.clocks.wall_ms(), self._context.seen_ms()
        return [
            punch_of(pusher.source, row, pusher.drift_ms, seen_ms)
            if isinstance(row, Row)
            else pusher.source.damaged(row.reason, row.raw, now_ms, seen_ms)
            for row in rows
            if isinstance(row, Row) or pusher.once.is_new(row.raw)
        ]

    # Commands

    async def _poll(self, pusher: Pusher, call: Call, message: bytes) -> Answer:
        try:
            poll = codec.decode_poll(message)
        except DataError as error:
            self._server.note(pusher, "bad_request", str(error))
            poll = codec.Poll(None, None, None, None)
        talk = self._talks[pusher.serial]
        if poll.at is not None:
            self._server.read_clock(pusher, poll.at)
        pusher.state.firmware = poll.firmware or pusher.state.firmware
        talk.library = library_for(pusher.terminal.profile, poll.library) if poll.library else talk.library
        asked = None if talk.plain else await self._next(pusher, talk, poll.at)
        if asked is None:
            return self._done(pusher, call, "OK", "ERROR_NO_CMD")
        talk.asked = asked
        return Answer(200, asked.command.body, KIND, codec.headers_of("OK", asked.trans_id, asked.command.code))

    async def _next(self, pusher: Pusher, talk: _Talk, at: DeviceSeconds | None) -> _Asked | None:
        """What to ask now; one command at a time."""
        now_ms = self._context.clocks.mono_ms()
        if talk.asked is not None and now_ms - talk.asked.at_ms < ANSWER_MS:
            return None
        talk.asked = None
        talk.number += 1
        number = str(talk.number)
        if self._must_set_clock(talk, at, now_ms):
            talk.clock_set_ms = now_ms
            wall = pusher.source.wall_at(self._context.clocks.wall_ms())
            return _Asked(codec.set_time(f"{wall:%Y%m%d%H%M%S}"), number, now_ms)
        if now_ms >= talk.due_ms:
            talk.due_ms = now_ms + LOOK_AGAIN_MS
            talk.waiting = ["GET_DEVICE_STATUS"]
            if talk.library is not None:  # else nobody has published what the bytes of its log mean
                talk.waiting += ["GET_LOG_DATA", "GET_USER_ID_LIST"]
        if not talk.waiting:
            return None
        code = talk.waiting.pop(0)
        if code != "GET_LOG_DATA":
            return _Asked(Command(code), number, now_ms)
        command, place = await self._log_command(pusher, at)
        return _Asked(command, number, now_ms, place)

    def _must_set_clock(self, talk: _Talk, at: DeviceSeconds | None, now_ms: MonotonicMs) -> bool:
        """A terminal that lost its clock gets ours, if ours was not lost too; a drift is left to the server."""
        if at is None or at >= CLOCK_SUSPECT_BEFORE_S:
            return False
        ours = self._context.clocks.wall_ms() // 1000 >= CLOCK_SUSPECT_BEFORE_S
        return ours and (talk.clock_set_ms is None or now_ms - talk.clock_set_ms >= SET_TIME_AGAIN_MS)

    async def _log_command(self, pusher: Pusher, at: DeviceSeconds | None) -> tuple[Command, bytes]:
        """Asks for the log from the stored place on, and says the place after it.

        The place is a device time, as these terminals number nothing: a day is read twice, and all of it again when
        the clock was wrong meanwhile.
        """
        ours = self._context.clocks.wall_ms() // 1000 + OVERLAP_S
        sound = at is not None and CLOCK_SUSPECT_BEFORE_S <= at <= ours
        stored = codec.parse_time((await self._context.sink.cursor(_key(pusher)) or b"").decode("ascii", "replace"))
        begin = BEGINNING
        if stored is not None and at is not None and sound:
            begin = max(BEGINNING, from_ms((min(stored, at) - OVERLAP_S) * 1000))
        end = from_ms(max(at or 0, ours) * 1000) + timedelta(days=1)
        place = f"{from_ms(at * 1000):%Y%m%d%H%M%S}".encode() if at is not None and sound else b"0"
        return codec.get_log_data(f"{begin:%Y%m%d%H%M%S}", f"{end:%Y%m%d%H%M%S}"), place

    async def _result(self, pusher: Pusher, call: Call, message: bytes) -> Answer:
        talk = self._talks[pusher.serial]
        asked = talk.asked
        if asked is None or (call.trans_id and call.trans_id != asked.trans_id):
            asked = _Asked(Command(_code_of(message)), call.trans_id, 0)  # asked by a run before this one
        stored = True
        if call.result not in ("OK", ""):
            log.warning("command failed", terminal=pusher.serial, command=asked.command.code, code=call.result)
            self._retry(talk, asked)
        else:
            try:
                stored = await self._take(pusher, talk, asked, message)
            except DataError as error:
                self._server.note(
                    pusher, "unknown_table" if error.code == "unknown_layout" else "bad_request", str(error)
                )
                self._retry(talk, asked)
        if not stored:
            self._retry(talk, asked)
            return _answer("ERROR_DB_ACCESS", call.trans_id)
        if talk.asked is not None and asked is talk.asked:
            talk.asked = None
        return self._done(pusher, call, "OK")

    def _retry(self, talk: _Talk, asked: _Asked) -> None:
        if asked.command.code == "GET_LOG_DATA":
            talk.due_ms = self._context.clocks.mono_ms() + RETRY_MS

    async def _take(self, pusher: Pusher, talk: _Talk, asked: _Asked, message: bytes) -> bool:
        """What a command brought; False when it is not stored."""
        state = pusher.state
        if asked.command.code == "GET_DEVICE_STATUS":
            status = codec.decode_status(message)
            state.users = state.users if status.users is None else status.users
            state.log_used, state.log_capacity = status.log_used, status.log_capacity
        elif asked.command.code == "GET_USER_ID_LIST":
            state.users = len(codec.decode_user_answer(message, talk.library))
        elif asked.command.code == "GET_LOG_DATA":
            found = await asyncio.to_thread(codec.decode_log_answer, message, talk.library)
            if found.empty:
                log.info("empty_slots", terminal=pusher.serial, count=found.empty)
            return await self._server.store(pusher, self._events(pusher, found.rows), _key(pusher), asked.place)
        return True

    def _done(self, pusher: Pusher, call: Call, plain: str, code: str = "OK") -> Answer:
        """Stored, or nothing to store; ``plain`` is the body for terminals that read no headers."""
        if self._talks[pusher.serial].plain:
            return Answer(200, plain, "text/plain")
        return _answer(code, call.trans_id)


def _answer(code: str, trans_id: str = "") -> Answer:
    return Answer(200, b"", KIND, codec.headers_of(code, trans_id))


def _code_of(message: bytes) -> str:
    """The command that such a result answers; empty when it holds nothing for us."""
    try:
        keys = codec.keys_of(message)
    except DataError:
        return ""
    return "GET_LOG_DATA" if "log_array" in keys or "log_count" in keys else ""


def _key(pusher: Pusher) -> str:
    return f"{FAMILY}:{pusher.serial}"
