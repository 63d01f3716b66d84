"""Settings of a gateway, read once from TOML; unknown keys are errors."""

from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.errors import ConfigError
from shared.topics import check_gateway_id

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]


class BrokerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the gateway publishes; the user name is the gateway id."""

    host: str = "127.0.0.1"
    port: Port = 1883
    password_file: Path
    """File with the password that `muster server gateways add` printed, mode 0600."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    keepalive_s: Annotated[int, msgspec.Meta(ge=5, le=300)] = 30


class AntennaConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one antenna of an RFID reader watches."""

    station: str | None = None
    """Name of the dock or gate; absent means the reader's own, with the antenna's number behind it."""
    kind: str | None = None
    """Scan kind of this place in lower case; absent means the reader's."""


class TerminalConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One terminal or scanner of this depot."""

    name: str
    """Unique here; stands for the serial where the device has none."""
    profile: str
    """``<brand>/<model>`` below firmware-profiles."""
    host: str | None = None
    port: Port | None = None
    device: str | None = None
    """Serial device such as /dev/ttyUSB0."""
    serial: str | None = None
    """Serial number; a push family accepts only terminals listed by it."""
    key_file: Path | None = None
    """File with the communication key, or with ``user:password`` for a family that speaks HTTP; absent means key 0."""
    ca_file: Path | None = None
    """Certificate (PEM) of a terminal whose ``host`` begins with https://, or of its authority; else the machine's."""
    zone: str | None = None
    """IANA zone of this device's clock where it differs from profile and site."""
    kind: str | None = None
    """Scan kind of the station in lower case, such as ``out_for_delivery``."""
    poll_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0
    command_s: Annotated[float, msgspec.Meta(ge=0)] = 60.0
    """How long a command barcode changes the kind of scans; 0 until the next one."""
    command_scans: Annotated[int, msgspec.Meta(ge=0)] = 0
    """How many scans a command barcode changes the kind of; 0 for any number."""
    topic: str | None = None
    """Topic of a reader that publishes to a broker at ``host``."""
    folder: Path | None = None
    """Folder in which export files of this terminal appear; they are read and never changed."""
    window_s: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 3.0
    """Reads of one tag at one antenna within this time are one scan."""
    antennas: dict[str, AntennaConfig] = {}
    """By the antenna's number, such as ``[terminal.antennas.1]``."""


class PushConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a push family listens; the gateway opens no port without this table."""

    host: str = "127.0.0.1"
    port: Port = 8081


class MetricsConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where Prometheus asks; the gateway opens no port without this table."""

    host: str = "127.0.0.1"
    port: Port = 9464


class BufferConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Limits of the outbox."""

    quota_mib: Annotated[int, msgspec.Meta(ge=8)] = 2048
    ballast_mib: Annotated[int, msgspec.Meta(ge=0)] = 16
    keep_acked_days: Annotated[int, msgspec.Meta(ge=1)] = 14


class GatewayConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a gateway process needs to know."""

    id: str
    data: Path
    """Folder of the outbox; relative to the configuration file."""
    zone: str
    """IANA zone of the site."""
    broker: BrokerConfig
    terminal: list[TerminalConfig] = []
    push: dict[str, PushConfig] = {}
    """By driver family, such as ``[push.zk_adms]``."""
    buffer: BufferConfig = BufferConfig()
    metrics: MetricsConfig | None = None
    """``[metrics]`` opens a port for Prometheus."""
    health_s: Annotated[float, msgspec.Meta(gt=0)] = 30.0


def load_config(path: Path) -> GatewayConfig:
    """Read and check a configuration file; ConfigError names file and key."""
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=GatewayConfig, strict=True, dec_hook=_path)
    except OSError as error:
        raise ConfigError(f"{path}: can not be read ({error.strerror}); pass --config with a readable file") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; see docs/reference/gateway-config.md") from error
    check_gateway_id(config.id)
    zones = [config.zone, *(t.zone for t in config.terminal if t.zone)]
    for zone in zones:
        check_zone(zone, str(path))
    names = [t.name for t in config.terminal]
    if twice := {n for n in names if names.count(n) > 1}:
        raise ConfigError(f"{path}: terminal names {sorted(twice)} occur twice; give each terminal its own name")
    base = path.parent
    broker = msgspec.structs.replace(config.broker, password_file=base / config.broker.password_file)
    terminals = [
        msgspec.structs.replace(
            t,
            key_file=t.key_file and base / t.key_file,
            ca_file=t.ca_file and base / t.ca_file,
            folder=t.folder and base / t.folder,
        )
        for t in config.terminal
    ]
    return msgspec.structs.replace(config, data=base / config.data, broker=broker, terminal=terminals)


def check_zone(name: str, where: str) -> ZoneInfo:
    """The zone of that IANA name; ConfigError when there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(f"{where}: zone {name!r} is unknown; use an IANA name such as Asia/Shanghai") from error


def _path(kind: type, value: object) -> Path:
    """What msgspec asks for a type it does not know: TOML has no paths, only text."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected a path as text, got {value!r}")
