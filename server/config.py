"""Settings of a server process, read once from TOML; unknown keys are errors."""

import re
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from shared.errors import ConfigError

Port = Annotated[int, msgspec.Meta(ge=0, le=65535)]
ServerUser = Annotated[str, msgspec.Meta(pattern=r"^server-[0-9]{1,4}$")]
"""MQTT user and client id of one server process; two processes under one name throw each other off."""

SQLITE = "sqlite:///"


class DatabaseConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where rows are kept: ``sqlite:///FILE`` (relative to ``data``) or ``postgresql://USER@HOST/NAME``."""

    url: str = "sqlite:///muster.db"


class BrokerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The MQTT broker between gateways and server."""

    host: str = "127.0.0.1"
    port: Port = 1883
    user: ServerUser = "server-1"
    password_file: Path = Path("broker-passwords")
    """Lines ``server-1:password``, one for each server process, mode 0600; relative to the configuration file."""
    shared: bool = False
    """Share the gateways' messages among several ingest processes (needs Mosquitto)."""
    protocol: Literal["auto", "5", "3.1.1"] = "auto"
    embedded: bool = False
    """Run the broker inside this process, on ``host`` and ``port``: demo and single box."""


class HttpConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where pages and API are served; anything but loopback belongs behind a TLS proxy."""

    host: str = "127.0.0.1"
    port: Port = 8400
    proxies: tuple[str, ...] = ("127.0.0.1",)
    """Addresses of TLS proxies whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed."""
    address: Annotated[str, msgspec.Meta(pattern=r"^(https?://[^\s]+[^/\s])?$")] = ""
    """What people type to reach the pages, such as ``https://muster.example``: links in notices begin with it."""


class SiteConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Defaults for sites that say nothing else."""

    zone: str = "Asia/Shanghai"


class MailConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """The company's SMTP server, for notices by e-mail."""

    host: str
    port: Port = 587
    from_: str
    user: str = ""
    password_file: Path | None = None
    """One line, mode 0600; relative to the configuration file."""
    tls: Literal["starttls", "tls", "none"] = "starttls"
    """``none`` only for a server on this machine."""


class NoticesConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where notices may go beside the vendors' own hosts."""

    allowed: tuple[str, ...] = ()
    """Origins such as ``http://127.0.0.1:9000``: for tests, and for robots behind a gateway of the company's."""


class KeysConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Keys that wrap the keys of encrypted values; see docs/howto/keys.md."""

    master: Annotated[str, msgspec.Meta(pattern=r"^\$\{(env|secret):[A-Za-z_][A-Za-z0-9_.-]*\}$")] = (
        "${secret:master-keys}"
    )
    """Where their lines are: a file in ``secrets``, a systemd credential, or an environment variable."""
    suite: Literal["intl", "sm"] = "intl"
    """Algorithms of new data keys: AES-256-GCM with SHA-256, or SM4-GCM with SM3. Older ones stay readable."""


class ServerConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything a server process needs to know."""

    data: Path = Path()
    """Folder of the database, locks and exports; relative to the configuration file."""
    files: Path = Path("files")
    """Folder that business systems leave their files in; relative to the settings' file."""
    secrets: Path = Path("secrets")
    """Folder with a file of mode 0600 for each ``${secret:name}`` of sources; relative to the settings' file."""
    company: str = ""
    """Heads reports; empty: the department that has none above it."""
    database: DatabaseConfig = DatabaseConfig()
    broker: BrokerConfig = BrokerConfig()
    http: HttpConfig = HttpConfig()
    site: SiteConfig = SiteConfig()
    mail: MailConfig | None = None
    """Without it there is no e-mail."""
    notices: NoticesConfig = NoticesConfig()
    keys: KeysConfig = KeysConfig()

    @property
    def zone(self) -> ZoneInfo:
        """Zone of the site, for local dates."""
        return ZoneInfo(self.site.zone)

    @property
    def on_sqlite(self) -> bool:
        """SQLite allows one server process only."""
        return self.database.url.startswith(SQLITE)


def load_config(path: Path) -> ServerConfig:
    """Read and check a configuration file; ConfigError names file and key."""
    try:
        config = msgspec.toml.decode(path.read_bytes(), type=ServerConfig, strict=True, dec_hook=_path)
    except OSError as error:
        raise ConfigError(
            f"{path}: can not be read ({error.strerror}); `muster server init --config {path}` writes one"
        ) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; see docs/reference/server-config.md") from error
    _check(config, path)
    return _absolute(config, path.resolve().parent)


def as_broker_user(config: ServerConfig, user: str) -> ServerConfig:
    """The same settings for another server process with a broker user of its own."""
    try:
        name = msgspec.convert(user, ServerUser)
    except msgspec.ValidationError as error:
        raise ConfigError(f"broker user {user!r}: expected server-NUMBER, such as server-2") from error
    return msgspec.structs.replace(config, broker=msgspec.structs.replace(config.broker, user=name))


def broker_password(config: BrokerConfig) -> str:
    """Password of ``config.user``; ConfigError says which line is missing."""
    passwords = broker_passwords(config.password_file)
    if config.user not in passwords:
        raise ConfigError(
            f"{config.password_file}: no line for {config.user}, it has {', '.join(sorted(passwords)) or 'none'}; "
            f"add one with `muster server broker user {config.user}`"
        )
    return passwords[config.user]


def broker_passwords(path: Path) -> dict[str, str]:
    """Passwords of the server's broker users, in file order; ConfigError when the file is unusable."""
    try:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: can not be read ({error}); `muster server init` writes it") from error
    pairs = [line.strip().split(":", 1) for line in lines]
    for number, pair in enumerate(pairs, start=1):
        if len(pair) != 2 or not re.fullmatch(r"server-[0-9]{1,4}", pair[0]) or not pair[1]:
            raise ConfigError(f"{path}, line {number}: expected server-NUMBER:PASSWORD")
    return {pair[0]: pair[1] for pair in pairs}


def _check(config: ServerConfig, path: Path) -> None:
    try:
        ZoneInfo(config.site.zone)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ConfigError(
            f"{path}: site.zone {config.site.zone!r} is unknown; use an IANA name such as Asia/Shanghai"
        ) from error
    if not config.database.url.startswith((SQLITE, "postgresql://")):
        raise ConfigError(
            f"{path}: database.url must start with sqlite:/// or postgresql://; "
            "leave it out for a SQLite file in the data folder"
        )
    if config.broker.embedded and config.broker.shared:
        raise ConfigError(
            f"{path}: broker.shared needs Mosquitto: the embedded broker grants $share subscriptions "
            "and delivers nothing; set broker.shared = false"
        )


def _absolute(config: ServerConfig, base: Path) -> ServerConfig:
    data = base / config.data
    database = config.database
    if config.on_sqlite:
        database = DatabaseConfig(url=SQLITE + str(data / database.url.removeprefix(SQLITE)))
    broker = msgspec.structs.replace(config.broker, password_file=base / config.broker.password_file)
    mail = config.mail
    if mail is not None and mail.password_file is not None:
        mail = msgspec.structs.replace(mail, password_file=base / mail.password_file)
    return msgspec.structs.replace(
        config,
        data=data,
        secrets=base / config.secrets,
        files=base / config.files,
        database=database,
        broker=broker,
        mail=mail,
    )


def _path(kind: type, value: object) -> Path:
    """What msgspec asks for a type it does not know: TOML has no paths, only text."""
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise TypeError(f"expected a path as text, got {value!r}")
