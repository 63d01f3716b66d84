"""Timmy, AiFace and other terminals that connect by WebSocket, or post the same JSON by HTTP."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import tzinfo
from functools import partial

from gateway.device import Ability, Decoded, Device, HealthFact, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.aiface_ws import codec
from gateway.drivers.aiface_ws.codec import Bad, Happening, Message
from gateway.drivers.aiface_ws.device import ABILITIES, device_of, open_device
from gateway.drivers.aiface_ws.events import STRANGER_EVENT, events_of, has_stranger_events
from gateway.drivers.aiface_ws.server import FAMILY, AifaceServer
from gateway.profile import Profile
from gateway.transports.scrub import WebSocketScrub
from gateway.transports.source import Source, check_quirks
from shared.clock import Clocks
from shared.errors import DataError

QUIRKS = frozenset({STRANGER_EVENT})
LOGS = frozenset({"sendlog", "getnewlog", "getalllog"})
KEPT = """
cmd ret sn count logindex enrollid time mode inout event verifymode temp from to modelname firmware logsize
usedlog usednewlog useduser usersize cloudtime result reason stn access
"""
"""Fields of a recording that are no secret, in small letters."""


class AifaceWs:
    """The family."""

    family = FAMILY
    quirks = QUIRKS
    calls_us = True
    abilities: frozenset[Ability] = ABILITIES
    one_session = True
    """A terminal calls one address: while the gateway runs it is there."""

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all terminals; ConfigError without ``[push.aiface_ws]``."""
        if not terminals:
            return []
        for terminal in terminals:
            check_quirks(terminal.profile, QUIRKS)
        server = AifaceServer(terminals, context, device_of=partial(device_of, clocks=context.clocks))
        return [DriverTask(FAMILY, terminals, server.serve)]

    def open(self, terminal: Terminal, clocks: Clocks) -> AbstractAsyncContextManager[Device]:
        """Wait for the terminal's call."""
        return open_device(terminal, clocks)

    def scrub(self) -> WebSocketScrub:
        """For one recorded connection."""
        return WebSocketScrub(KEPT)

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:
        """Captured messages, one each line, with or without ``dev >`` and ``srv >`` before them."""
        lines = codec.texts(data.splitlines()[:100_000])
        found = [_decoded(line, Source(terminal, profile, zone)) for line in lines]
        if all(one.kind == "broken" for one in found):
            raise DataError("no message of this family; they are JSON with cmd or ret", code="bad_json")
        return found


def _decoded(line: bytes, plain: Source) -> Decoded:
    try:
        message = codec.message_of(line)
    except DataError as error:
        return Decoded("broken", problems=(Trouble(error.code, str(error), codec.salvage(line).raw),))
    source = Source(message.serial or plain.serial, plain.profile, plain.zone)
    kind = f"answer {message.name}" if message.is_answer else message.name
    if message.name not in LOGS or not message.records():
        return Decoded(kind, health=_health(message))
    items = codec.items_of(message, stranger_events=has_stranger_events(source))
    bad = [item for item in items if isinstance(item, Bad)]
    rows = [item for item in items if item not in bad]
    return Decoded(
        kind,
        events=tuple(events_of(rows, source, 0, 0, index=message.number("logindex") if not bad else None)),
        health=tuple(HealthFact(item.name, {"event": item.event}) for item in items if isinstance(item, Happening)),
        problems=tuple(Trouble(item.reason, "no punch", item.raw) for item in bad),
    )


def _health(message: Message) -> tuple[HealthFact, ...]:
    if message.name != "reg" or message.is_answer:
        return ()
    facts = codec.facts_of(message)
    told = {"model": facts.model, "firmware": facts.firmware, "users": facts.users, "log_used": facts.log_used}
    return (HealthFact("reg", dict(told)),)


DRIVER = AifaceWs()
