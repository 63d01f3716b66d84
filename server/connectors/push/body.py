"""The body of a push: unpacked with a limit, then rows."""

import zlib
from typing import Any

import msgspec

from server.connectors.push.errors import BodyError, TooLargeError, UnsupportedError

MOST_BYTES = 5_000_000
MOST_ROWS = 1_000


class Batch(msgspec.Struct, forbid_unknown_fields=True):
    """Rows of one fact; ``batch_id`` stands in for a missing ``Idempotency-Key``."""

    batch_id: str
    rows: list[dict[str, Any]]


def unpacked(body: bytes, encoding: str) -> bytes:
    """The body as it was before it was packed; TooLargeError where it would be more than MOST_BYTES."""
    if encoding in ("", "identity"):
        plain = body
    elif encoding == "gzip":
        plain = _gunzipped(body)
    else:
        raise UnsupportedError(f"Content-Encoding {encoding[:40]!r}: only gzip is unpacked")
    if len(plain) > MOST_BYTES:
        raise TooLargeError(f"more than {MOST_BYTES} bytes")
    return plain


def _gunzipped(body: bytes) -> bytes:
    packed = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = packed.decompress(body, MOST_BYTES + 1)
    except zlib.error as error:
        raise UnsupportedError("the body is no gzip") from error
    if not packed.eof and len(plain) <= MOST_BYTES:
        raise UnsupportedError("the gzip is cut")
    if packed.unused_data:
        raise UnsupportedError("something follows the gzip; pack the body as one")
    return plain


def read_batch(plain: bytes) -> Batch:
    """The batch in a body; UnsupportedError where it is no JSON, BodyError where it is of another form."""
    try:
        batch = msgspec.json.decode(plain, type=Batch)
    except msgspec.ValidationError as error:
        raise BodyError(f'expected {{"batch_id": "...", "rows": [{{...}}]}}: {error}') from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnsupportedError("the body is no JSON") from error
    if not 1 <= len(batch.batch_id) <= 200:
        raise BodyError("batch_id: expected 1 to 200 characters")
    if len(batch.rows) > MOST_ROWS:
        raise TooLargeError(f"{len(batch.rows)} rows, at most {MOST_ROWS}")
    return batch
