"""A serial line, read without a thread; and what to say when it is not there."""

import asyncio
import errno

import serial


class SerialPort(serial.Serial):
    """A serial line that keeps what has arrived before it was opened: a batch scanner may have begun."""

    def _reset_input_buffer(self) -> None:
        """Leave out the flush that pyserial does when it opens a line."""


async def readable(descriptor: int) -> None:
    """Return once there is something to read, or the device is gone."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


def advice(error: OSError | ValueError, group: str = "dialout") -> tuple[str, str]:
    """Problem code of a device that could not be opened, and what to do about it."""
    code = error.errno if isinstance(error, OSError) else None
    if code == errno.EACCES:
        return "no_permission", f"let the gateway's user into the group {group}"
    if code in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return "port_missing", "plug the scanner in or correct device"
    return "device_error", str(error)
