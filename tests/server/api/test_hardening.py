"""Headers, errors, limits and the built pages: SEC-28, SEC-29."""

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs
from structlog.typing import EventDict

from server.api.hardening import Hardening
from server.api.pages import load_pages, serve_pages
from tests.server.api.company import World

CSP = (
    "default-src 'self'; script-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'"
)
"""security.md section 6, word for word."""


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[EventDict]]:
    """What the application logs."""
    with capture_logs() as entries:
        yield entries


@pytest.mark.parametrize(
    ("role", "method", "path", "status"),
    [
        (None, "GET", "/", 200),
        (None, "GET", "/health", 200),
        ("hr", "GET", "/api/me", 200),
        (None, "GET", "/api/me", 401),
        ("it", "GET", "/api/today", 403),
        (None, "GET", "/api/none", 404),
        (None, "DELETE", "/api/me", 405),
        ("hr", "GET", "/api/today?date=x", 422),
        ("hr", "GET", "/live?topics=x", 422),
        ("administrator", "GET", "/boom", 500),
    ],
)
async def test_sec28_headers(world: World, role: str | None, method: str, path: str, status: int) -> None:
    break_something(world)
    async with world.client(role) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-security-policy"] == CSP
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["permissions-policy"] == "geolocation=(self), camera=(self)"
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert answer.headers["cache-control"] == ("no-cache" if path == "/" else "no-store")
    assert "server" not in answer.headers


async def test_sec28_headers_promise_tls_only_over_tls(world: World) -> None:
    async with world.client() as client:
        answer = await client.get("http://muster.test/health")
    assert "strict-transport-security" not in answer.headers


def break_something(world: World) -> None:
    world.with_own_app()

    async def boom() -> None:
        raise RuntimeError("table users has no column secret_sauce")

    world.app.add_api_route("/boom", boom)
    world.app.router.routes.insert(0, world.app.router.routes.pop())


async def test_sec29_errors_leak_nothing_and_are_found_in_the_log(world: World, logged: list[EventDict]) -> None:
    break_something(world)
    answer = await world.get(None, "/boom")
    assert [(entry["event"], entry["request_id"]) for entry in logged] == [
        ("request_failed", answer.headers["x-request-id"])
    ]
    assert answer.status_code == 500
    told = {"code": "internal", "request_id": answer.headers["x-request-id"]}
    assert answer.json() == {**told, "fields": {}, "parameters": {}}


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"login": "hr"}, {"body.password": "missing"}),
        ({"login": "hr", "password": "x" * 129}, {"body.password": "string_too_long"}),
        ({"login": "hr", "password": "secret-1", "admin": True}, {"body.admin": "extra_forbidden"}),
    ],
)
async def test_sec29_errors_name_the_field_and_never_its_value(
    world: World, body: object, fields: dict[str, str]
) -> None:
    answer = await world.post(None, "/api/login", body)
    assert (answer.status_code, answer.json()["code"], answer.json()["fields"]) == (422, "invalid", fields)
    assert "secret-1" not in answer.text


@pytest.mark.parametrize("path", ["/docs", "/redoc", "/metrics"])
async def test_sec29_errors_no_documents_for_outsiders(world: World, path: str) -> None:
    assert (await world.get("administrator", path)).status_code == 404


async def test_sec29_errors_the_openapi_document_is_the_administrators(world: World) -> None:
    assert (await world.get(None, "/openapi.json")).status_code == 401
    assert (await world.get("hr", "/openapi.json")).status_code == 403
    document = (await world.get("administrator", "/openapi.json")).json()
    assert "/api/today" in document["paths"]
    assert "Frame" in document["components"]["schemas"]


async def test_a_large_body_is_refused_with_and_without_its_length(world: World) -> None:
    async def pieces() -> object:
        for _ in range(80):
            yield b"x" * 1024

    async with world.client() as client:
        told = await client.post("/api/login", content=b"x" * 65_537)
        streamed = await client.post("/api/login", content=pieces())  # type: ignore[arg-type]
    assert (told.status_code, told.json()["code"]) == (413, "too_large")
    assert streamed.status_code in (400, 413, 422)


# --- pages ----------------------------------------------------------------------------------------------------------


def client_of(folder: Path) -> httpx.AsyncClient:
    app = FastAPI(openapi_url=None)
    app.add_middleware(Hardening)
    serve_pages(app, load_pages(folder))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://muster.test")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>shell</title>")
    (tmp_path / "assets/app-BX3k9_aQ.js").write_text("let a = 1")
    (tmp_path / "assets/app-BX3k9_aQ.js.gz").write_bytes(gzip.compress(b"let a = 1"))
    (tmp_path / "sw.js").write_text("let b = 2")
    return tmp_path


async def test_hashed_files_stay_for_a_year_and_come_zipped_to_who_can_read_it(built: Path) -> None:
    async with client_of(built) as client:
        zipped = await client.get("/assets/app-BX3k9_aQ.js", headers={"Accept-Encoding": "gzip, br"})
        plain = await client.get("/assets/app-BX3k9_aQ.js", headers={"Accept-Encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert zipped.text == plain.text == "let a = 1"
    assert zipped.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert zipped.headers["content-type"].startswith("text/javascript")
    assert zipped.headers["vary"] == "Accept-Encoding"


@pytest.mark.parametrize("path", ["/", "/index.html", "/sw.js", "/scores/e7"])
async def test_html_and_worker_are_asked_for_again(built: Path, path: str) -> None:
    async with client_of(built) as client:
        first = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": first.headers["etag"]})
    assert (first.status_code, first.headers["cache-control"]) == (200, "no-cache")
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/devices", 200),
        ("/days/e7/2026-03-02", 200),
        ("/assets/gone-12345678.js", 404),
        ("/api/none", 404),
        ("/live/none", 404),
        ("/assets/app-BX3k9_aQ.js.gz", 404),
        ("/..%2f..%2fetc%2fpasswd.txt", 404),
    ],
)
async def test_unknown_paths_show_the_shell_unless_they_are_files_or_the_api(
    built: Path, path: str, status: int
) -> None:
    async with client_of(built) as client:
        answer = await client.get(path)
    assert answer.status_code == status
    assert ("shell" in answer.text) is (status == 200)


async def test_without_built_pages_the_root_says_how_to_build_them(tmp_path: Path) -> None:
    async with client_of(tmp_path / "missing") as client:
        answer = await client.get("/")
    assert (answer.status_code, "make web" in answer.text) == (200, True)
    assert "style=" not in answer.text
    assert "<script" not in answer.text
