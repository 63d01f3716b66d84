"""Business keys as the outbox remembers them: 16 bytes that sort by device second."""

import hashlib

from shared.keys import Event, business_key

_BIAS = 1 << 39
"""Makes a second before 1970 positive."""
_DIGEST_BYTES = 11


def short_key(event: Event) -> bytes | None:
    """Equal for two reports of one event, 5 bytes of device second and 88 bits of digest; None when nothing tells.

    Two events of one second share a digest once in 3 * 10^26 pairs.
    """
    key = business_key(event)
    if key is None:
        return None
    source, name, second, native = key
    place = second + _BIAS
    if not 0 <= place < _BIAS * 2:
        place = 0 if place < 0 else _BIAS * 2 - 1
    said = hashlib.sha256(f"{len(source)}:{source}{name}\0{second}\0{native}".encode()).digest()
    return place.to_bytes(5, "big") + said[:_DIGEST_BYTES]
