"""Errors become a status and a code; what happened exactly stays in the log, under the request's id."""

from collections.abc import Mapping

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response

from server.access.errors import CredentialsError, ForbiddenError, NotFoundError, SignInError, TooManyTriesError
from server.analytics.extra import ExtraMissingError
from server.api.views.base import ErrorView
from server.connectors.push.errors import (
    BodyError,
    RepeatedKeyError,
    SignatureError,
    TooLargeError,
    UnsupportedError,
)
from server.services.targets import TargetFaultsError
from shared.errors import DataError, MusterError, RetryableError

STATUS: Mapping[type[MusterError], int] = {
    SignInError: 401,
    CredentialsError: 401,
    ForbiddenError: 403,
    NotFoundError: 404,
    TooManyTriesError: 429,
    SignatureError: 401,
    RepeatedKeyError: 409,
    TooLargeError: 413,
    UnsupportedError: 415,
    BodyError: 422,
    DataError: 422,
    ExtraMissingError: 501,
    RetryableError: 503,
}
CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed"}

log = structlog.get_logger("server.api")


def handle_errors(app: FastAPI) -> None:
    """Every error of this application in one form; what is missed here is the outer wrapper's."""
    app.add_exception_handler(MusterError, _ours)
    app.add_exception_handler(RequestValidationError, _invalid)
    for status in CODES:
        app.add_exception_handler(status, _plain)


def _ours(request: Request, error: Exception) -> Response:
    status = next((status for kind, status in STATUS.items() if isinstance(error, kind)), 500)
    code = str(getattr(error, "code", "later" if status == 503 else "internal"))
    if status >= 500:
        log.error("request_failed", request_id=request.state.request_id, reason=str(error))
    headers = {"Retry-After": str(error.wait_s)} if isinstance(error, TooManyTriesError) else {}
    parameters = error.parameters if isinstance(error, DataError) else None
    fields = error.fields if isinstance(error, TargetFaultsError) else None
    return _answer(request, status, code, fields, headers=headers, parameters=parameters)


def _invalid(request: Request, error: Exception) -> Response:
    """Places and kinds of what is wrong; never the values."""
    found = error.errors() if isinstance(error, RequestValidationError) else []
    fields = {".".join(map(str, problem["loc"])): str(problem["type"]) for problem in found}
    return _answer(request, 422, "invalid", fields)


def _plain(request: Request, error: Exception) -> Response:
    status = int(getattr(error, "status_code", 500))
    return _answer(request, status, CODES.get(status, "internal"))


def _answer(
    request: Request,
    status: int,
    code: str,
    fields: Mapping[str, str] | None = None,
    *,
    parameters: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    about = {"fields": dict(fields or {}), "parameters": dict(parameters or {})}
    view = ErrorView(code=code, request_id=request.state.request_id, **about)
    return JSONResponse(view.model_dump(), status, headers=headers)
