"""Facts of the machine: which hardware this is and whether its clock is synchronised."""

import ctypes
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

SERIALS = (
    "sys/class/dmi/id/product_uuid",
    "sys/class/dmi/id/board_serial",
    "proc/device-tree/serial-number",
)
NO_SERIAL = {"", "none", "default string", "to be filled by o.e.m.", "not specified", "0"}
TIME_ERROR = 5
"""adjtimex: the clock is not synchronised."""


def machine_id(root: Path = Path("/")) -> str:
    """16 hex characters from hardware serials and network addresses; ``unknown`` where there are none.

    Not from a file such as /etc/machine-id: a copied disk carries that along, and two machines under one identity
    must give themselves away.
    """
    facts = sorted(_serials(root)) or sorted(_network_addresses(root))
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()[:16] if facts else "unknown"


def _serials(root: Path) -> Iterator[str]:
    for name in SERIALS:
        try:
            text = (root / name).read_text(encoding="ascii", errors="replace").strip("\0 \n")
        except OSError:
            continue
        if text.lower() not in NO_SERIAL:
            yield text


def _network_addresses(root: Path) -> Iterator[str]:
    """Addresses of real network cards: virtual ones have no ``device``."""
    for card in (root / "sys/class/net").glob("*"):
        if not (card / "device").exists():
            continue
        try:
            yield (card / "address").read_text(encoding="ascii").strip()
        except OSError:
            continue


def clock_synced() -> bool:
    """Whether the kernel says that something keeps its clock right; False where it can not be asked."""
    try:
        adjtimex = ctypes.CDLL(None).adjtimex
    except (OSError, AttributeError):  # not Linux
        return False
    timex = ctypes.create_string_buffer(512)  # struct timex is 208 bytes; zero modes only reads
    return int(adjtimex(timex)) not in (-1, TIME_ERROR)


def free_bytes(folder: Path) -> int:
    """Bytes that an ordinary user may still write to the file system of ``folder``."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize
