"""Settings of a depot and commands against emulated terminals that live in the test's event loop."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from emulators.zk4370 import ZkTerminal
from gateway.cli import app
from tests.support.loopback import free_port

HEAD = """\
# The depot at the harbour.
id = "gw-0123456789"
data = "data"
zone = "Asia/Shanghai"   # all clocks

[broker]
port = 1
password_file = "secret"
"""


def settings(folder: Path, more: str = "") -> Path:
    (folder / "secret").write_text("password\n")
    (folder / "secret").chmod(0o600)
    path = folder / "gateway.toml"
    path.write_text(HEAD + more)
    return path


def door(emulator: ZkTerminal, more: str = "", profile: str = "zkteco/k40") -> str:
    where = f'host = "{emulator.host}"\nport = {emulator.port}\n'
    return f'\n[[terminal]]\nname = "door"\nprofile = "{profile}"\n{where}{more}'


@asynccontextmanager
async def running(emulator: ZkTerminal) -> AsyncIterator[ZkTerminal]:
    await emulator.start()
    try:
        yield emulator
    finally:
        await emulator.stop()


async def muster(*words: str | Path, typed: str = "") -> Result:
    """A command in a thread, as the emulators need this one."""
    return await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words], input=typed)


async def answered(*words: str | Path, code: int = 0) -> Any:
    """The JSON that a command prints."""
    done = await muster(*words, "--json")
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def nowhere() -> str:
    return f'\n[[terminal]]\nname = "door"\nprofile = "zkteco/k40"\nhost = "127.0.0.1"\nport = {free_port()}\n'
