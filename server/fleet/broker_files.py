"""Mosquitto's ACL and password files, replaced whole, so that the broker never reads half of one."""

import os
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from server.config import BrokerConfig, broker_passwords
from server.fleet.passwords import hash_password
from server.fleet.topic_rules import acl_file, password_file
from server.store import fleet_queries
from server.store.database import Database
from shared.errors import ConfigError


@dataclass(frozen=True, slots=True)
class BrokerFiles:
    """Texts of both files."""

    acl: str
    passwords: str


async def broker_files(db: Database, config: BrokerConfig) -> BrokerFiles:
    """Both texts for the gateways of the database and the server users of the password file."""
    servers = broker_passwords(config.password_file)
    async with db.reading() as connection:
        hashes = await fleet_queries.password_hashes(connection)
        revoked = await fleet_queries.revoked_gateways(connection)
    hashes |= {user: hash_password(password) for user, password in servers.items()}
    return BrokerFiles(acl_file(servers, revoked), password_file(hashes.items()))


def write_files(files: BrokerFiles, folder: Path) -> tuple[Path, Path]:
    """Write ``acl`` and ``passwords`` below ``folder``, readable by the group too: Mosquitto has a user of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    written = (folder / "acl", folder / "passwords")
    for path, text in zip(written, (files.acl, files.passwords), strict=True):
        replace_file(path, text, 0o640)
    return written


def replace_file(path: Path, text: str, mode: int) -> None:
    """Put ``text`` under ``path`` in one step, on disk before its name; an existing file keeps its owner."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            if path.exists():
                _keep_owner(path, file.fileno())
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def add_server_user(path: Path, user: str, password: str) -> None:
    """Append a line to the server's own password file, mode 0600; ConfigError when the user is there."""
    known = broker_passwords(path) if path.exists() else {}
    if user in known:
        raise ConfigError(f"{path}: {user} is there already; each server process needs a name of its own")
    lines = [f"{name}:{secret}\n" for name, secret in (known | {user: password}).items()]
    replace_file(path, "".join(lines), 0o600)


def reload_broker(pid_file: Path) -> int:
    """Tell Mosquitto to read its files again (SIGHUP): it also drops clients whose password is gone. Its process id."""
    try:
        pid = int(pid_file.read_text(encoding="ascii"))
        os.kill(pid, signal.SIGHUP)
    except (OSError, ValueError) as error:
        raise ConfigError(f"{pid_file}: no running broker ({error}); pass mosquitto's pid_file") from error
    return pid


def _keep_owner(path: Path, handle: int) -> None:
    owner = path.stat()
    try:
        os.fchown(handle, owner.st_uid, owner.st_gid)
    except PermissionError:
        return  # not root: the file is ours anyway
