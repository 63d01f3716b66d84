"""Which threads turned stored JSON into rows: the one that answers requests has to be left alone."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest


@contextmanager
def reading_threads(kind: Any) -> Iterator[set[int]]:
    """Identities of the threads that read JSON into ``kind`` meanwhile."""
    found: set[int] = set()

    def watched(read: Callable[..., Any]) -> Callable[..., Any]:
        def reads(value: Any, *terms: Any, **named: Any) -> Any:
            if named.get("type", terms[0] if terms else None) == kind:
                found.add(threading.get_ident())
            return read(value, *terms, **named)

        return reads

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(msgspec.json, "decode", watched(msgspec.json.decode))
        patch.setattr(msgspec, "convert", watched(msgspec.convert))
        yield found
