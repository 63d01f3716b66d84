"""SEC-35: a gateway listens nowhere unless its settings say so, and then on this machine only."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.loopback import free_port

LISTEN = "0A"
SETTINGS = 'id = "gw-0123456789"\ndata = "data"\nzone = "Asia/Shanghai"\n[broker]\nport = {port}\npassword_file = "p"\n'

pytestmark = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="needs Linux's /proc")


@contextmanager
def gateway(folder: Path, further: str) -> Iterator[int]:
    """Process id of a gateway that is ready."""
    (folder / "p").write_text("secret")
    (folder / "gateway.toml").write_text(SETTINGS.format(port=free_port()) + further)
    words = [sys.executable, "-m", "gateway", "--config", str(folder / "gateway.toml")]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            assert any('"ready"' in line for line in process.stderr)
            yield process.pid
        finally:
            process.terminate()


def listeners(pid: int) -> set[tuple[str, int]]:
    """Addresses on which the process accepts connections, as the kernel tells."""
    folder = Path(f"/proc/{pid}/fd")
    sockets = {str(handle.readlink()) for handle in folder.iterdir() if handle.is_symlink()}
    found = set()
    for table in ("tcp", "tcp6"):
        path = Path(f"/proc/{pid}/net/{table}")
        for line in path.read_text().splitlines()[1:] if path.exists() else []:
            local, state, inode = (line.split()[place] for place in (1, 3, 9))
            if state == LISTEN and f"socket:[{inode}]" in sockets:
                address, _, port = local.partition(":")
                found.add((".".join(str(byte) for byte in reversed(bytes.fromhex(address))), int(port, 16)))
    return found


def test_sec35_gateway_ports(tmp_path: Path) -> None:
    with gateway(tmp_path, "") as pid:
        assert listeners(pid) == set()


def test_sec35_metrics_listen_on_this_machine_only(tmp_path: Path) -> None:
    port = free_port()
    with gateway(tmp_path, f"[metrics]\nport = {port}\n") as pid:
        seen: set[tuple[str, int]] = set()
        while not seen:
            seen = listeners(pid)
        assert seen == {("127.0.0.1", port)}
