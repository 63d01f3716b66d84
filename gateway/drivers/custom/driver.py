"""Two ways in for custom devices: ``POST /v1/events``, and a topic on a broker of the depot."""

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import TYPE_CHECKING

import msgspec
import structlog

from gateway.device import Decoded, Trouble
from gateway.driver import DriverContext, DriverTask, Terminal
from gateway.drivers.custom.codec import punch_of, read_message, scan_of
from gateway.drivers.custom.intake import FAMILY, Intake, Refusal, encode, key_lines
from gateway.profile import Profile
from gateway.transports import http_front
from gateway.transports.http_front import Body, Head, HttpFront, listening
from gateway.transports.together import together
from shared.errors import ConfigError, DataError, RetryableError
from shared.keys import Event
from shared.mqtt_link import linked
from shared.scan import ScanKind

if TYPE_CHECKING:
    import aiomqtt

PATH = "/v1/events"
SIGNATURE = "x-muster-signature"
JSON = "application/json"
LOOK_S = 10.0
BROKER_PORT = 1883
CONNECT_S = 10.0

log = structlog.get_logger("gateway")


class Custom:
    """The family of custom devices."""

    family = FAMILY
    quirks: frozenset[str] = frozenset()

    def tasks(self, terminals: Sequence[Terminal], context: DriverContext) -> Sequence[DriverTask]:
        """One server for all that post, one link for each broker; ConfigError for settings that can not work."""
        posting = [t for t in terminals if t.profile.link.transport == "http"]
        tasks = []
        if posting:
            if context.push is None:
                names = ", ".join(t.config.name for t in posting)
                raise ConfigError(f"devices {names} post, but no port is open; add [push.{FAMILY}] with host and port")
            tasks.append(DriverTask(FAMILY, posting, HttpDoor(Intake(posting, context), context).run))
        brokers: dict[tuple[str, int], list[Terminal]] = {}
        for terminal in terminals:
            if terminal.profile.link.transport == "mqtt":
                brokers.setdefault(_broker(terminal), []).append(terminal)
        for (host, port), group in brokers.items():
            door = MqttDoor(host, port, group, context)
            tasks.append(DriverTask(f"{FAMILY} {host}:{port}", group, door.run))
        return tasks

    def decode(self, data: bytes, profile: Profile, zone: tzinfo, terminal: str) -> Sequence[Decoded]:  # noqa: ARG002
        """What one message says, signed or not, with or without the line of its signature before it."""
        if not data.lstrip().startswith(b"{"):
            data = data.partition(b"\n")[2]
        message = read_message(data)
        events: list[Event] = [punch_of(entry, message.device, None, 0) for entry in message.punches]
        events += [scan_of(entry, message.device, ScanKind.UNKNOWN, 0) for entry in message.scans]
        problems = tuple(Trouble(bad.code, f"{bad.place}: {bad.text}", bad.raw) for bad in message.bad)
        return [Decoded("events", tuple(events), problems=problems)]


DRIVER = Custom()


class HttpDoor:
    """Takes signed messages by POST."""

    def __init__(self, intake: Intake, context: DriverContext) -> None:
        if context.push is None:
            raise ConfigError(f"no port is open; add [push.{FAMILY}] with host and port")
        self._intake, self._address = intake, (context.push.host, context.push.port)
        self._front = HttpFront(self.answer, context.clocks.wall_ms, _crashed)

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the port is taken."""
        async with listening(self._front, *self._address):
            while True:
                self._intake.notice_silence()
                await asyncio.sleep(LOOK_S)

    async def answer(self, head: Head, body: Body) -> http_front.Answer:
        """What is in the message is durable when this says 200."""
        if head.path != PATH or head.method != "POST":
            with suppress(DataError):
                await body.drain()
            code, status = ("not_found", 404) if head.path != PATH else ("method", 405)
            return _json(status, Refusal(code, f"POST {PATH}"))
        try:
            raw = await body.read()
        except DataError as error:
            return _json(413 if error.code == "too_large" else 400, Refusal(error.code, str(error)))
        answer = await self._intake.take(raw, head.headers.get(SIGNATURE, ""))
        return _json(answer.status, answer.body)


class MqttDoor:
    """Takes signed messages from a broker: the signature, a line feed, the JSON.

    The session stays with the broker while we are away, and it gets its acknowledgement after the commit. What the
    device may forget it hears on the topic of answers.
    """

    def __init__(self, host: str, port: int, terminals: Sequence[Terminal], context: DriverContext) -> None:
        self._host, self._port = host, port
        self._intake = Intake(terminals, context)
        accounts = {tuple(key_lines(t.config.key_file, t.config.name)[1:2]) for t in terminals}
        if len(accounts) > 1:
            raise ConfigError(f"devices at broker {host}:{port} name different accounts in their key files")
        user, _, password = next(iter(accounts.pop()), "").partition(":")
        self._account = (user or None, password or None)
        self._answers = {known.terminal.config.topic or topic_of(d): d for d, known in self._intake.known.items()}
        names = "\n".join(sorted(self._answers))
        self._identity = f"muster-{hashlib.sha256(names.encode()).hexdigest()[:12]}"

    async def run(self) -> None:
        """Listen until cancelled; RetryableError when the broker is away or nothing can be stored."""
        import aiomqtt

        try:
            client = aiomqtt.Client(
                self._host,
                self._port,
                username=self._account[0],
                password=self._account[1],
                identifier=self._identity,
                protocol=aiomqtt.ProtocolVersion.V311,
                clean_session=False,
                timeout=CONNECT_S,
            )
            client._client.manual_ack_set(True)  # noqa: SLF001 - aiomqtt has no name of its own for it
            async with linked(client):
                for topic in self._answers:
                    await client.subscribe(topic, qos=1)
                await together(self._look(), self._hear(client))
        except aiomqtt.MqttError as error:
            raise RetryableError(f"broker {self._host}:{self._port}: {error}") from error

    async def _hear(self, client: "aiomqtt.Client") -> None:
        async for message in client.messages:
            await self._take(client, message)

    async def _take(self, client: "aiomqtt.Client", message: "aiomqtt.Message") -> None:
        topic = message.topic.value
        claimed, _, body = bytes(message.payload).partition(b"\n")
        answer = await self._intake.take(body, claimed[:100].decode("ascii", "replace"))
        if answer.status == 503:
            raise RetryableError("not stored: the broker keeps the message")  # and it comes again with the next link
        client._client.ack(message.mid, message.qos)  # noqa: SLF001
        device = self._answers.get(topic)
        if device is not None:
            await client.publish(answer_topic_of(device), encode(answer.body), qos=1)

    async def _look(self) -> None:
        while True:
            self._intake.notice_silence()
            await asyncio.sleep(LOOK_S)


def topic_of(device: str) -> str:
    """Where a device publishes, unless its ``topic`` says otherwise."""
    return f"local/{device}/ev"


def answer_topic_of(device: str) -> str:
    """Where it hears what became of it."""
    return f"local/{device}/re"


def _broker(terminal: Terminal) -> tuple[str, int]:
    config = terminal.config
    if config.host is None:
        raise ConfigError(f"terminal {config.name}: set `host` to the depot's own MQTT broker")
    if set(config.serial or config.name) & set("#+/"):
        raise ConfigError(f"terminal {config.name}: a device on a broker has no #, + or / in its name")
    return config.host, config.port or terminal.profile.link.port or BROKER_PORT


def _json(status: int, body: object) -> http_front.Answer:
    return http_front.Answer(status, msgspec.json.encode(body), JSON)


def _crashed(error: Exception) -> None:
    log.error("crashed", task=FAMILY, exc_info=error)
