"""A reply is never larger in memory than its limit."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest

from server.connectors.errors import ReplyError
from server.connectors.fetch.body import read_body


class _Pieces(httpx.AsyncByteStream):
    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 1000):
            yield self._content[start : start + 1000]


def _read(content: bytes, encoding: str | None = None, most: int = 100_000) -> bytes:
    headers = {"content-encoding": encoding} if encoding else {}
    return asyncio.run(read_body(httpx.Response(200, headers=headers, stream=_Pieces(content)), most))


def test_a_body_is_read_whole_packed_or_not() -> None:
    text = bytes(range(256)) * 50
    assert _read(text) == _read(gzip.compress(text), "gzip") == _read(zlib.compress(text), "deflate") == text


def test_a_body_of_the_very_limit_is_read_packed_or_not() -> None:
    text = b"a" * 100_000
    assert _read(text) == _read(gzip.compress(text), "gzip") == text


@pytest.mark.parametrize(
    ("content", "encoding"), [(b"a" * 100_001, None), (gzip.compress(b"a" * 100_001), "gzip")], ids=["plain", "packed"]
)
def test_one_byte_too_many_is_refused(content: bytes, encoding: str | None) -> None:
    with pytest.raises(ReplyError) as caught:
        _read(content, encoding)
    assert (caught.value.code, caught.value.retry) == ("too_large", False)


def test_a_bomb_is_not_unpacked() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    tracemalloc.start()
    with pytest.raises(ReplyError, match="more than"):
        _read(bomb, "gzip")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("content", [gzip.compress(b"abc" * 900)[:-4], b"", b"no gzip"], ids=["cut", "empty", "broken"])
def test_a_cut_or_broken_body_may_be_asked_for_again(content: bytes) -> None:
    with pytest.raises(ReplyError) as caught:
        _read(content, "gzip")
    assert (caught.value.code, caught.value.retry) == ("bad_body", True)


def test_what_follows_a_packed_body_is_not_lost_in_silence() -> None:
    with pytest.raises(ReplyError, match="more follows"):
        _read(gzip.compress(b"[1,2]") + gzip.compress(b"[3]"), "gzip")


def test_an_encoding_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(ReplyError, match="expected gzip"):
        _read(b"abc", "br")
