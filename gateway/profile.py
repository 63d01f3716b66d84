"""Facts of one terminal model, read from ``firmware-profiles/<brand>/<model>.toml``; unknown keys are errors."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from gateway.config import check_zone
from shared.clock import DeviceSeconds
from shared.errors import ConfigError
from shared.punch import Direction, Method


class LinkFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to reach a terminal of this model."""

    transport: Literal["tcp", "udp", "http", "serial", "file", "hid", "mqtt"]
    port: int | None = None
    timeout_s: float = 10.0
    baudrate: int | None = None


class ClockFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Zone of the device clock: ``site``, a UTC offset such as ``+08:00``, or an IANA name."""

    zone: str = "site"


class CodeMaps(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Raw numbers of the device, as text keys, to our names in lower case."""

    method: dict[str, str] = {}
    direction: dict[str, str] = {}
    granted: list[int] | None = None
    """Events of an access terminal that let a person in: only these are punches. None means the family's default."""


class FrameFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a scanner cuts its reads; escapes are TOML's."""

    prefix: str = ""
    suffix: str = "\r"
    pattern: str | None = None
    """Regular expression with the named groups ``code`` and, for a batch scanner, ``time``."""
    time_format: str = "%Y-%m-%d %H:%M:%S"
    silence_ms: int | None = None
    """Ends a read where the scanner sends no suffix."""
    repeat_ms: int = 0
    """Drop the same code within this time; 0 keeps every read."""
    aim: bool = False
    """The scanner puts an AIM identifier in front."""
    form: Literal["text", "rdm6300"] = "text"
    """``rdm6300``: a card reader's line of twelve hexadecimal digits, the last two a checksum."""


FILE_FIELDS = frozenset({"user", "time", "date", "clock", "direction", "method", "device", "number"})


class FileFacts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an export file of this model looks like."""

    layout: Literal["attlog", "glg", "afd", "henry", "table", "monthly"]
    """``table``: CSV or XLSX with a header; ``monthly``: a row an employee, a column a day, several times a cell."""
    names: list[str] = msgspec.field(default_factory=lambda: ["*"])
    """Patterns of file names, without regard to case."""
    serial_pattern: str | None = None
    """Regular expression with the named group ``serial`` that finds the serial number in a file's name."""
    encoding: str | None = None
    """For bytes that are neither UTF-8 nor GB18030, or in place of GB18030 where the maker is not Chinese."""
    date_order: Literal["ymd", "dmy", "mdy"] | None = None
    """Where the file itself does not prove it."""
    columns: dict[str, list[str]] = {}
    """Headers by field: ``user``, ``time``, ``date``, ``clock``, ``direction``, ``method``, ``device``, ``number``."""
    directions: dict[str, str] = {}
    """Words of the file, in lower case, to our names."""
    methods: dict[str, str] = {}
    swapped: bool = False
    """``attlog``: column 4 is the verify code and column 5 the state."""
    crc: Literal["kermit", "modbus"] | None = None
    """``afd``: verify the checksum of Portaria 671; sources contradict each other which it is."""


class Source(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a fact comes from; grade A to C as in the protocol pages."""

    fact: str
    origin: str = msgspec.field(name="from")
    grade: Literal["A", "B", "B-", "C"]


class Profile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One model. ``layouts`` and ``quirks`` are names and sizes that the family's driver declares."""

    schema: Literal[1]
    brand: str
    model: str
    family: str
    firmware: list[str] = []
    evidence: Literal["untested", "bronze", "silver", "gold"]
    link: LinkFacts
    clock: ClockFacts = ClockFacts()
    layouts: dict[str, int] = {}
    codes: CodeMaps = CodeMaps()
    frame: FrameFacts | None = None
    file: FileFacts | None = None
    quirks: list[str] = []
    source: Annotated[list[Source], msgspec.Meta(min_length=1)]

    def method(self, code: int) -> Method:
        """The method that a raw verify code means on this model; UNKNOWN keeps the number in raw_codes only."""
        name = self.codes.method.get(str(code))
        return Method[name.upper()] if name else Method.UNKNOWN

    def direction(self, code: int) -> Direction:
        """The direction that a raw state code means on this model; UNKNOWN where the profile does not say."""
        name = self.codes.direction.get(str(code))
        return Direction[name.upper()] if name else Direction.UNKNOWN


def profile_folder() -> Path:
    """Folder of the profiles: beside the checkout first, since an editable install copies and then hides edits."""
    package = Path(__file__).resolve().parent
    checkout = package.parent / "firmware-profiles"
    return checkout if checkout.is_dir() else package / "firmware_profiles"


def added_profile_folders() -> list[Path]:
    """``firmware_profiles`` in packages of third parties: entry point ``muster.profiles``, value = the package."""
    from importlib.metadata import entry_points  # only here: few have such a package
    from importlib.util import find_spec

    found = [find_spec(entry.value) for entry in entry_points(group="muster.profiles")]
    places = [place for spec in found if spec for place in spec.submodule_search_locations or ()]
    return [Path(place) / "firmware_profiles" for place in places]


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """Profile ``<brand>/<model>``; ConfigError names the file, the key and what was expected."""
    root = folder or profile_folder()
    if not re.fullmatch(r"[a-z0-9_-]+/[a-z0-9_.+-]+", name):
        raise ConfigError(f"profile {name!r}: expected <brand>/<model> in lower case, such as zkteco/k40")
    path = root / f"{name}.toml"
    if folder is None and not path.exists():
        added = (place / f"{name}.toml" for place in added_profile_folders())
        path = next((place for place in added if place.exists()), path)
    try:
        profile = msgspec.toml.decode(path.read_bytes(), type=Profile, strict=True)
        _check_codes(profile)
    except FileNotFoundError as error:
        known = sorted(str(p.relative_to(root).with_suffix("")) for p in root.glob(f"{name.partition('/')[0]}/*.toml"))
        hint = f"this brand has {', '.join(known)}" if known else "see docs/reference/terminals.md"
        raise ConfigError(f"profile {name!r} does not exist; {hint}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, LookupError, ValueError) as error:
        raise ConfigError(f"{path}: {error}") from error
    return profile


def device_zone(profile: Profile, configured: str | None, site: str) -> tzinfo:
    """Zone of a device clock: its own setting, else the profile's, where ``site`` means the site's."""
    name = configured or (site if profile.clock.zone == "site" else profile.clock.zone)
    if offset := re.fullmatch(r"([+-])(\d\d):(\d\d)", name):
        minutes = int(offset[2]) * 60 + int(offset[3])
        return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    return check_zone(name, f"profile {profile.brand}/{profile.model}")


def utc_offset_s(zone: tzinfo, at: DeviceSeconds) -> int:
    """Seconds that a wall clock in ``zone`` is ahead of UTC at that device second; the earlier of two readings."""
    return _offset_in_quarter(zone, at // 900)


@lru_cache(maxsize=4096)
def _offset_in_quarter(zone: tzinfo, quarter: int) -> int:
    offset = datetime.fromtimestamp(quarter * 900, UTC).replace(tzinfo=zone).utcoffset()
    return int(offset.total_seconds()) if offset is not None else 0


def _check_codes(profile: Profile) -> None:
    for names, kind in ((profile.codes.method, Method), (profile.codes.direction, Direction)):
        for code, name in names.items():
            int(code)
            if name.upper() not in kind.__members__:
                known = ", ".join(m.name.lower() for m in kind)
                raise ValueError(f"codes: {name!r} is no {kind.__name__.lower()}, expected one of {known}")
    if profile.file:
        _check_file(profile.file)
    if profile.frame and profile.frame.pattern:
        groups = re.compile(profile.frame.pattern).groupindex
        if "code" not in groups:
            raise ValueError("frame.pattern: needs the named group (?P<code>...)")


def _check_file(facts: FileFacts) -> None:
    for names, kind in ((facts.methods, Method), (facts.directions, Direction)):
        if strange := [name for name in names.values() if name.upper() not in kind.__members__]:
            raise ValueError(f"file: {strange[0]!r} is no {kind.__name__.lower()}")
    if strange_fields := set(facts.columns) - FILE_FIELDS:
        raise ValueError(f"file.columns: unknown {sorted(strange_fields)}, expected {sorted(FILE_FIELDS)}")
    if facts.serial_pattern and "serial" not in re.compile(facts.serial_pattern).groupindex:
        raise ValueError("file.serial_pattern: needs the named group (?P<serial>...)")
    if facts.encoding:
        "".encode(facts.encoding)
