"""Settings of a depot and commands against emulated terminals that live in the test's event loop."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol, TypeVar

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


class Emulator(Protocol):
    """What all emulators that listen have."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


E = TypeVar("E", bound=Emulator)


@asynccontextmanager
async def running(emulator: E) -> AsyncIterator[E]:
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


@asynccontextmanager
async def recording(family: str, to: tuple[str, int], out: Path, *more: str) -> AsyncIterator[int]:
    """The proxy as a process; its port. It ends with Ctrl-C."""
    port = free_port()
    code = "from gateway.cli.device import app; app()"
    words = ["record", "--listen", str(port), "--to", f"{to[0]}:{to[1]}", "--out", str(out), *more]
    if family:
        words += ["--family", family]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, *words, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        assert b"listening" in await asyncio.wait_for(process.stderr.readline(), 30)
        yield port
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
