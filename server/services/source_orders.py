"""What a person wants done with a source now. The process that runs sources does it; whoever asks does not wait."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Literal, TypeAlias

from server.services.sources import load_source
from server.store import log_queries, source_queries
from server.store.database import Database
from server.store.log_queries import Entry
from server.store.source_queries import StreamRow
from shared.clock import WallMs
from shared.errors import DataError

Work: TypeAlias = Literal["run", "whole", "replay"]
"""Read what is new; read everything and mark what is gone; map the kept pages again."""
_ACTIONS: dict[Work, str] = {"run": "source.run", "whole": "source.run", "replay": "source.replay"}


@dataclass(frozen=True, slots=True)
class Asked:
    """Who wants what, since when."""

    work: Work
    actor: str
    at_ms: WallMs
    confirmed: bool = False
    """A person has said yes to many rows being gone."""


async def ask(db: Database, name: str, stream: str | None, asked: Asked, entry: Entry) -> list[str]:
    """Leave an order for a stream, or for all of a source; those that are going to be worked on.

    What was asked before and is not done yet is replaced. NotFoundError for a source that is none; DataError
    ``no_stream``, ``disabled``, and ``sends_itself`` for a source that can not be asked.
    """
    async with db.writing() as connection:
        row, source = await load_source(connection, name)
        if row.disabled:
            raise DataError(f"{name} is switched off", "disabled")
        if asked.work != "replay" and source.kind == "webhook":
            raise DataError(f"{name} sends by itself and can not be asked", "sends_itself")
        wanted = [one.id for one in source.streams if stream in (None, one.id)]
        if not wanted:
            raise DataError(f"{name} has no stream {stream}", "no_stream")
        await source_queries.hold(connection, name)
        for one in wanted:
            await source_queries.set_stream(connection, name, one, asked=asdict(asked))
        detail = {"streams": ", ".join(wanted), "work": asked.work}
        await log_queries.append(connection, replace(entry, action=_ACTIONS[asked.work], object=name, detail=detail))
    return wanted


def asked_of(row: StreamRow) -> Asked | None:
    """What a person wants done with a stream; None for nothing."""
    return None if row.asked is None else Asked(**row.asked)


async def settle(db: Database, name: str, streams: Sequence[str], asked: Asked) -> None:
    """This is done; what was asked for meanwhile stays."""
    async with db.writing() as connection:
        await source_queries.hold(connection, name)
        for row in await source_queries.streams_of(connection, [name]):
            if row.stream in streams and asked_of(row) == asked:
                await source_queries.set_stream(connection, name, row.stream, asked=None)
