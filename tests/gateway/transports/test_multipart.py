"""Parts come out whole however the bytes are cut, and pictures never come out."""

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.transports.multipart import PART_LIMIT, MultipartDecoder, Part, boundary_in, boundary_of

B = "MIME_boundary"


def part(body: bytes, kind: str = "application/json", *, counted: bool = True, name: str = "event_log") -> bytes:
    length = f"Content-Length: {len(body)}\r\n" if counted else ""
    head = f'--{B}\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {kind}\r\n{length}\r\n'
    return head.encode() + body + b"\r\n"


def cut(stream: bytes, step: int) -> list[Part]:
    decoder = MultipartDecoder(B)
    found = [one for i in range(0, len(stream), step) for one in decoder.feed(stream[i : i + step])]
    return found + decoder.close()


texts = st.binary(max_size=200).filter(lambda raw: B.encode() not in raw and raw.strip(b"\r\n") == raw and raw != b"")


@given(st.lists(st.tuples(texts, st.booleans()), max_size=8), st.integers(1, 70))
def test_any_chunking_yields_the_same_parts(bodies: list[tuple[bytes, bool]], step: int) -> None:
    stream = b"".join(part(body, counted=counted) for body, counted in bodies) + f"--{B}--\r\n".encode()
    assert [one.body for one in cut(stream, step)] == [body for body, _ in bodies]


@given(st.binary(max_size=300), st.integers(1, 50))
def test_a_counted_picture_stays_a_picture_whatever_is_in_it(noise: bytes, step: int) -> None:
    fake = b"\r\n" + part(b'{"employeeNoString":"FAKE"}') + f"--{B}--\r\n".encode()
    picture = part(noise + fake + noise, "image/jpeg", name="Picture")
    stream = part(b"one") + picture + part(b"two") + f"--{B}--\r\n".encode()
    assert [one.body for one in cut(stream, step)] == [b"one", b"two"]


def test_boundary_bytes_inside_a_line_of_an_uncounted_picture_are_picture() -> None:
    picture = part(b"\xff\xd8--MIME_boundary--MIME_boundary--\xff\xd9", "image/jpeg", counted=False)
    assert [one.body for one in cut(part(b"one") + picture + part(b"two"), 5)] == [b"one", b"two"]


@pytest.mark.parametrize("name", ['Picture"; filename="Picture.jpg', "image1"])
def test_a_picture_is_known_by_its_name_too(name: str) -> None:
    assert cut(part(b"PICTURE", "application/octet-stream", name=name) + part(b"one"), 9)[0].body == b"one"


def test_a_part_with_its_length_does_not_wait_for_the_next_one() -> None:
    decoder = MultipartDecoder(B)
    stream = part(b"one")
    assert [one.body for one in decoder.feed(stream[:-2])] == [b"one"]


def test_a_length_that_lies_swallows_no_event() -> None:
    lying = part(b"one").replace(b"Content-Length: 3", b"Content-Length: 4000")
    assert [one.body for one in cut(lying + part(b"two"), 11)] == [b"one", b"two"]


def test_lf_alone_and_headers_without_any_are_taken() -> None:
    stream = f'--{B}\n\n{{"a":1}}\n--{B}\nContent-Type: text/plain\n\nHeartbeat\n--{B}--\n'.encode()
    assert [one.body for one in cut(stream, 3)] == [b'{"a":1}', b"Heartbeat"]


def test_a_part_without_end_is_dropped_in_bounded_memory() -> None:
    decoder = MultipartDecoder(B)
    decoder.feed(f"--{B}\r\nContent-Type: text/plain\r\n\r\n".encode())
    for _ in range(100):
        assert decoder.feed(b"x" * 65_536) == []
        assert len(decoder._buffer) <= PART_LIMIT + 65_536
    assert [one.body for one in decoder.feed(b"\r\n" + part(b"two"))] == [b"two"]
    assert decoder.dropped == 1


def test_a_slow_drip_costs_linear_time() -> None:
    decoder, started = MultipartDecoder(B), time.perf_counter()
    decoder.feed(f"--{B}\r\nContent-Type: text/plain\r\n\r\n".encode())
    for _ in range(100_000):
        decoder.feed(b"\n")
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("multipart/mixed; boundary=MIME_boundary", "MIME_boundary"),
        ('multipart/form-data; boundary="--MIME_boundary"; charset=utf-8', "MIME_boundary"),
        ("multipart/x-mixed-replace;Boundary=myboundary", "myboundary"),
        ("application/json", ""),
    ],
)
def test_the_boundary_is_found_in_every_header(header: str, found: str) -> None:
    assert boundary_of(header) == found


def test_the_boundary_is_found_in_a_body_without_header() -> None:
    assert boundary_in(b"\r\n--myboundary\r\nContent-Type: text/plain\r\n\r\n") == "myboundary"


def test_sec33_noise_never_breaks_the_decoder() -> None:
    source, pieces = (
        random.Random(33),
        (part(b"{}"), part(b"x", "image/jpeg"), b"--MIME_boundary", b"\r\n\r\n", b"--", b"\n"),
    )
    for _ in range(10_000):
        decoder = MultipartDecoder(B)
        for _ in range(source.randint(1, 6)):
            raw = source.choice(pieces) if source.random() < 0.7 else source.randbytes(source.randint(0, 40))
            decoder.feed(raw[: source.randint(0, len(raw))])
        decoder.close()
