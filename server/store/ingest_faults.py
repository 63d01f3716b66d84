"""What an error of the database means to ingest: try again, look closer, or refuse the message."""

import sqlite3

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_PASSING = ("08", "25", "40", "53", "55", "57", "58", "XX")
"""SQLSTATE classes that say nothing about the data: connection, transaction, resources, locks, operator, system."""


def is_passing(error: BaseException) -> bool:
    """Whether the same transaction may succeed later, whatever it writes."""
    cause = _driver_error(error)
    if isinstance(cause, asyncpg.PostgresError):
        return (cause.sqlstate or "XX")[:2] in _PASSING
    if isinstance(cause, sqlite3.OperationalError):  # locked, disk full, input/output error
        return True
    return isinstance(cause, asyncpg.InterfaceError | InterfaceError | PoolTimeoutError | OSError | TimeoutError) or (
        isinstance(error, DBAPIError) and error.connection_invalidated
    )


def is_duplicate(error: BaseException) -> bool:
    """Whether a row was there already that the watermark did not cover."""
    cause = _driver_error(error)
    return isinstance(cause, asyncpg.UniqueViolationError) or (
        isinstance(cause, sqlite3.IntegrityError) and "UNIQUE" in str(cause)
    )


def _driver_error(error: BaseException) -> BaseException:
    """Below SQLAlchemy's wrapping, and its asyncpg adapter's."""
    inner = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    cause = inner.__cause__
    return cause if isinstance(cause, asyncpg.PostgresError | asyncpg.InterfaceError | sqlite3.Error) else inner
