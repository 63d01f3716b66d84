"""A reply is read piece by piece and given up as soon as it is too large, also unpacked."""

import zlib

import httpx

from server.connectors.errors import ReplyError

ENCODINGS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""Window bits for zlib, by Content-Encoding; ask for no other."""


async def read_body(response: httpx.Response, most: int) -> bytes:
    """The whole body, unpacked, of at most ``most`` bytes; ReplyError ``too_large`` or ``bad_body`` (cut or broken)."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ENCODINGS and encoding not in ("identity", ""):
        raise ReplyError(f"packed as {encoding[:40]!r}, expected gzip", "bad_body", retry=False)
    unpack = zlib.decompressobj(ENCODINGS[encoding]) if encoding in ENCODINGS else None
    body = bytearray()
    packed = 0
    try:
        async for piece in response.aiter_raw():
            packed += len(piece)
            # One byte more than allowed is enough to know; a bomb is never unpacked.
            body += piece if unpack is None else unpack.decompress(piece, most + 1 - len(body))
            if max(packed, len(body)) > most:
                raise ReplyError(f"more than {most} bytes: ask for smaller pages", "too_large", retry=False)
    except zlib.error as error:
        raise ReplyError("the packed body is broken", "bad_body", retry=True) from error
    except httpx.RemoteProtocolError as error:
        raise ReplyError("the body was cut off", "bad_body", retry=True) from error
    if unpack is not None and not unpack.eof:
        raise ReplyError("the packed body was cut off", "bad_body", retry=True)
    if unpack is not None and unpack.unused_data:
        raise ReplyError("more follows after the packed body", "bad_body", retry=False)
    return bytes(body)
