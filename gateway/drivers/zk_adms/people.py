"""People at a push terminal: commands that wait until it asks for them, and the rows that it sends in answer."""

import asyncio
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from gateway.device import Ability, Device, DeviceUser
from gateway.drivers.zk_adms import codec
from shared.errors import ConfigError, RetryableError

FAMILY = "zk_adms"
ABILITIES = frozenset({Ability.USERS, Ability.WRITE_USERS})
FETCH_S = 120.0
"""A terminal asks for commands every 10 s, and pauses for 60 s after a failure."""
QUIET_S = 3.0
"""A list is complete when it was announced as done and nothing came for so long."""
AT_ONCE = 50
"""Commands of one answer; terminals take 200 or 40 KB, 10 KB over a mobile line."""
PEOPLE_LIMIT = 50_000
LATER = frozenset({-1003, -1005})
"""Time-out and busy."""
MEANINGS = {
    -1: "a wrong parameter",
    -5: "no room left",
    -22: "an unknown command",
    -1001: "no room left",
    -1002: "unsupported",
}
LIST_ALL = "DATA QUERY USERINFO"


@dataclass(slots=True)
class _Order:
    command: str
    result: "asyncio.Future[int]"


@dataclass(slots=True)
class Orders:
    """Commands for one terminal; ``fetch`` hands them out with numbers, ``done`` tells what became of one."""

    people: dict[str, DeviceUser] | None = None
    """Who was told since the list was asked for; None while nobody asks, and then rows are thrown away unread."""
    rows: int = 0
    _waiting: deque[_Order] = field(default_factory=deque)
    _sent: dict[int, _Order] = field(default_factory=dict)

    async def ask(self, command: str) -> int:
        """Return code of the command; RetryableError when the terminal does not fetch it or never tells."""
        order = _Order(command, asyncio.get_running_loop().create_future())
        self._waiting.append(order)
        try:
            async with asyncio.timeout(FETCH_S):
                return await order.result
        except TimeoutError as error:
            raise RetryableError("the terminal did not fetch the command, or never told its result") from error

    def fetch(self, first: int) -> list[str]:
        """Commands to send now; the first gets that number."""
        self._sent = {number: order for number, order in self._sent.items() if not order.result.done()}
        taken: list[str] = []
        while self._waiting and len(taken) < AT_ONCE:
            order = self._waiting.popleft()
            if not order.result.done():  # else whoever wanted it has given up
                self._sent[first + len(taken)] = order
                taken.append(order.command)
        return taken

    def done(self, number: int, code: int) -> bool:
        """Whether it was one of these."""
        order = self._sent.pop(number, None)
        if order is not None and not order.result.done():
            order.result.set_result(code)
        return order is not None

    def told(self, body: bytes) -> None:
        """Take rows about people, if somebody waits for them: number, name and card, nothing else."""
        if self.people is None:
            return
        for user in people_of(body):
            self.rows += 1
            if len(self.people) < PEOPLE_LIMIT:
                self.people[user.number] = user


class AdmsDevice(Device):
    """A terminal that calls us every few seconds."""

    family = FAMILY
    abilities = ABILITIES
    at_once = AT_ONCE

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._listing = asyncio.Lock()

    async def users(self) -> list[DeviceUser]:
        """Everybody enrolled, by number; the protocol does not tell who is disabled."""
        async with self._listing:
            self._orders.people = {}
            try:
                _check(await self._orders.ask(LIST_ALL), empty_is_fine=True)
                rows = -1
                while rows != self._orders.rows:
                    rows = self._orders.rows
                    await asyncio.sleep(QUIET_S)
                people = self._orders.people
            finally:
                self._orders.people = None
        return sorted(people.values(), key=lambda user: (len(user.number), user.number))

    async def put_user(self, user: DeviceUser) -> None:
        """Add somebody or change name and card; rights, password and templates are not named, so they stay."""
        if not user.enabled:
            raise ConfigError("these terminals can not disable a person from here; do it at the terminal")
        fields = [f"PIN={user.number}", f"Name={user.name}", *([f"Card={user.card}"] if user.card else [])]
        if any(not text.isprintable() for text in fields) or not user.number.strip():
            raise ConfigError(f"number {user.number!r} or its name has characters that the protocol can not carry")
        _check(await self._orders.ask("DATA UPDATE USERINFO " + "\t".join(fields)))


def people_of(body: bytes) -> Iterator[DeviceUser]:
    """People in the rows of a table; passwords, templates and rows of anything else are not looked at."""
    for line in codec.lines_of(body):
        tag, _, rest = line.partition(b" ")
        if tag == b"USER":
            line = rest  # noqa: PLW2901
        if not line.startswith(b"PIN="):
            continue
        pairs = (part.partition("=") for part in (codec.to_text(line) or "").split("\t"))
        fields = {name.strip().lower(): value.strip() for name, _, value in pairs}
        if number := fields.get("pin", "")[: codec.USER_LIMIT]:
            card = fields.get("card", "")
            yield DeviceUser(number, fields.get("name", "")[:64], "" if card.strip("[]0") == "" else card[:64])


def _check(code: int, *, empty_is_fine: bool = False) -> None:
    """ConfigError for a refusal, RetryableError for what may pass."""
    if code >= 0 or (empty_is_fine and code == -4):
        return
    if code in LATER:
        raise RetryableError(f"the terminal is busy (code {code})")
    raise ConfigError(f"the terminal refuses: {MEANINGS.get(code, 'no reason known')} (code {code})")
