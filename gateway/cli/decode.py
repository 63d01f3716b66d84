"""``muster device decode``: captured messages, dumps and exports in, JSON lines out."""

import re
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import tzinfo
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.console import FAILED, errors, print_json
from gateway.cli.facts import decoded_facts
from gateway.cli.families import driver_of, load_driver, profiles
from gateway.device import Decoded, Decoder, Trouble
from gateway.profile import Profile, device_zone, load_profile
from gateway.transports.http_messages import MessageDecoder
from gateway.transports.scrub import HttpRecorded
from shared.errors import ConfigError, DataError

LIMIT = 256 * 1024 * 1024
"""Bytes of a capture."""
HTTP = re.compile(rb"[A-Z]{3,7} /\S* HTTP/1\.|HTTP/1\.")


def decode(
    files: Annotated[list[str], typer.Argument(metavar="FILE...", help="Captures; - reads standard input.")],
    family: Annotated[str, typer.Option(help="Driver family, such as zk4370.")] = "",
    profile: Annotated[str, typer.Option(help="<brand>/<model>; else the most usual of the family.")] = "",
    zone: Annotated[str, typer.Option(help="Zone of the terminal's clock: an IANA name or +08:00.")] = "Asia/Shanghai",
    *,
    name: Annotated[str, typer.Option(help="Stands for a serial number that the data does not tell.")] = "terminal",
    hex_: Annotated[bool, typer.Option("--hex", help="The files are hexadecimal text: < from, > to it.")] = False,
) -> None:
    """Print what captures say, one JSON object a message; exit code 1 when something in them has problems.

    muster device decode --family zk4370 --profile zkteco/k40 --hex capture.hex
    """
    with errors():
        model = _profile_of(family, profile)
        driver = driver_of(model)
        if not isinstance(driver, Decoder):
            raise ConfigError(f"family {model.family} does not decode captures")
        where = device_zone(model, zone, zone)
        captures = [_read(file, hex_=hex_) for file in files]
    bad = False
    for file, data in zip(files, captures, strict=True):
        try:
            told = _decoded(driver, data, model, where, name)
        except DataError as error:
            told = [Decoded("unknown", problems=(Trouble(error.code, str(error), data[:200]),))]
        for one in told:
            facts = decoded_facts(one)
            bad = bad or bool(facts["problems"])
            print_json({"file": file, **facts} if len(files) > 1 else facts)
    if bad:
        raise typer.Exit(FAILED)


def _decoded(driver: Decoder, data: bytes, model: Profile, zone: tzinfo, name: str) -> Sequence[Decoded]:
    """What a capture says; of a recorded conversation of HTTP each message, as a driver knows one at a time."""
    if not isinstance(driver, HttpRecorded) or not HTTP.match(data):
        return driver.decode(data, model, zone, name)
    cut = MessageDecoder()
    messages = list(cut.feed(data))
    found: list[Decoded] = []
    for message in messages:
        whole = driver.decodes_heads and message.head is not None
        with suppress(DataError):  # a login, a command, an answer about something else
            found += driver.decode(message.start + message.body if whole else message.body, model, zone, name)
    if not found:
        raise DataError(f"nothing of family {model.family} in {len(messages)} messages of HTTP", code="unknown")
    if cut.waiting:
        found.append(Decoded("cut", problems=(Trouble("truncated", "the last message is not whole", cut.waiting),)))
    return found


def _profile_of(family: str, profile: str) -> Profile:
    """The profile asked for, of that family where one is named."""
    if not family and not profile:
        raise ConfigError("name the family (--family) or the model (--profile)")
    if profile:
        found = load_profile(profile)
        if family and found.family != family:
            raise ConfigError(f"profile {profile} is of family {found.family}, not {family}")
        return found
    load_driver(family)  # says which families there are
    models = [model for _, model in profiles() if model.family == family]
    if not models:
        raise ConfigError(f"no profile is of family {family}; name one with --profile")
    usual, _ = Counter(map(_kind, models)).most_common(1)[0]
    return next(model for model in models if _kind(model) == usual)


def _kind(model: Profile) -> tuple[object, ...]:
    """What decides how bytes of this model are read."""
    return (tuple(sorted(model.layouts.items())), tuple(model.quirks), model.frame)


def _read(file: str, *, hex_: bool) -> bytes:
    try:
        data = sys.stdin.buffer.read(LIMIT + 1) if file == "-" else _bounded(Path(file))
    except OSError as error:
        raise ConfigError(f"{file}: can not be read ({error.strerror})") from error
    if len(data) > LIMIT:
        raise ConfigError(f"{file}: more than {LIMIT // 2**20} MiB; cut it into pieces")
    return from_hex(data, file) if hex_ else data


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(LIMIT + 1)


def from_hex(text: bytes, where: str) -> bytes:
    """Bytes of hexadecimal lines; ``#`` begins a comment, ``<`` and ``>`` say which way a line went."""
    found = bytearray()
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.partition(b"#")[0].strip().lstrip(b"<>").strip()
        try:
            found += bytes.fromhex(plain.decode("ascii"))
        except (ValueError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where}, line {number}: expected hexadecimal digits; leave --hex out?") from error
    return bytes(found)
