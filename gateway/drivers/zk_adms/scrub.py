"""Takes names, cards, passwords, templates, pictures and tokens out of HTTP messages that are recorded.

What is taken out becomes as many ``x``, so that lengths stay what the heads say.
"""

import re

from gateway.drivers.zk_adms import codec
from gateway.transports.http_messages import Message, MessageDecoder

PLAIN = frozenset({"ATTLOG", "RTSTATE"})
"""Tables that hold nothing personal but the user number."""
_FACTS = """
devicename mac transactioncount maxattlogcount usercount maxusercount fwversion firmver pushversion platform
facecount fpcount maxfingercount pushver language devicetype machinetype
"""
FACTS = frozenset(_FACTS.split())
"""Options whose values stay."""
SAFE_COMMANDS = frozenset({"INFO", "CHECK", "REBOOT", "LOG"})
_SECRET_HEADERS = re.compile(rb"(?im)^((?:cookie|authorization|proxy-authorization|set-cookie)[ \t]*:[ \t]*)([^\r\n]*)")
_SECRET_QUERY = re.compile(rb"(?i)([?&](?:registrycode|token|key|pwd|passwd|password|sessionid)=)([^&\s]*)")
_CARD = re.compile(rb"(?i)(\bcardno=)([^\t\r\n]*)")
_PAIR = re.compile(rb"([^=,\r\n]*=)([^,\r\n]*)")
_TOKEN = re.compile(rb"(?im)^((?:registrycode|sessionid)=)([^\r\n]*)")


class AdmsScrub:
    """One recorded connection."""

    def __init__(self) -> None:
        self._messages = {True: MessageDecoder(), False: MessageDecoder()}

    def feed(self, chunk: bytes, *, to_terminal: bool) -> list[bytes]:
        """The messages that this chunk completes, scrubbed; DataError when it is not this protocol."""
        return [_clean(message) for message in self._messages[to_terminal].feed(chunk)]


def _clean(message: Message) -> bytes:
    start = _SECRET_QUERY.sub(_hide_value, _SECRET_HEADERS.sub(_hide_value, message.start))
    if message.head is None:
        return start + b"\n".join(map(_answer_line, message.body.split(b"\n")))
    query = codec.query_of(message.head.query)
    call = codec.call_of(message.head.path)
    table = query.get("table", "").upper()
    return start + _body(call, table, message.body)


def _body(call: str, table: str, body: bytes) -> bytes:
    if call == "cdata" and table in PLAIN:
        return body
    if call == "cdata" and table == "RTLOG":
        return _CARD.sub(_hide_value, body)
    if call == "cdata" and table == "OPERLOG":
        lines = body.split(b"\n")
        return b"\n".join(line if line.startswith((b"OPLOG ", b"OPLOG\t")) else _hidden(line) for line in lines)
    if call == "registry" or table == "OPTIONS":
        return _PAIR.sub(_hide_unless_fact, body)
    if call == "devicecmd":
        return b"\n".join(
            line if line[:3].upper() == b"ID=" else _PAIR.sub(_hide_unless_fact, line) for line in body.split(b"\n")
        )
    return _hidden(body)


def _answer_line(line: bytes) -> bytes:
    """A line that a server sends: of commands only the harmless ones stay whole."""
    if not line.startswith(b"C:"):
        return _TOKEN.sub(_hide_value, line)
    command = line.split(b":", 2)[-1].split(maxsplit=1)
    if command and command[0].decode("ascii", "replace") in SAFE_COMMANDS:
        return line
    kept, sign, rest = line.partition(b"=")
    return kept + sign + _hidden(rest)


def _hide_unless_fact(pair: re.Match[bytes]) -> bytes:
    name = pair[1][:-1].strip().lstrip(b"~").lower().decode("ascii", "replace")
    return pair[0] if name in FACTS else _hide_value(pair)


def _hide_value(pair: re.Match[bytes]) -> bytes:
    return pair[1] + _hidden(pair[2])


def _hidden(value: bytes) -> bytes:
    return b"x" * len(value)
